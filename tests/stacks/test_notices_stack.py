"""Who is told of quotas: the notifier on the gate's stream, its bus, and the targets."""

import json
from typing import Any

import pytest
from synthesized import Synthesized

NOTICES = ("notices", "us-east-1")
MISSED = "arn:aws:sqs:us-east-1:123456789012:tallygate-acceptance-notices-missed"


def test_the_notifier_reads_the_gates_stream_of_its_region_and_never_discards_in_silence(
    two_homes: Synthesized,
) -> None:
    mapping = two_homes.one(NOTICES, "AWS::Lambda::EventSourceMapping", FunctionName="tallygate-acceptance-notifier")
    assert mapping["EventSourceArn"] == "{{resolve:ssm:/tallygate-acceptance/gate-stream}}"
    (parameter,) = two_homes.all(("gate", "us-east-1"), "AWS::SSM::Parameter")
    assert parameter["Name"] == "/tallygate-acceptance/gate-stream"
    assert parameter["Value"] == "<AWS::DynamoDB::GlobalTable StreamArn>"
    (table,) = two_homes.all(("gate", "us-east-1"), "AWS::DynamoDB::GlobalTable")
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert (mapping["StartingPosition"], mapping["ParallelizationFactor"]) == ("TRIM_HORIZON", 1)
    assert (mapping["MaximumRetryAttempts"], mapping["BisectBatchOnFunctionError"]) == (-1, True)
    assert mapping["MaximumRecordAgeInSeconds"] < 24 * 3600, "the stream forgets after a day, and says nothing"
    assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": MISSED}}


def test_only_rows_of_usage_wake_the_notifier(prod: Synthesized) -> None:
    (mapping,) = prod.all(NOTICES, "AWS::Lambda::EventSourceMapping")
    (filter,) = mapping["FilterCriteria"]["Filters"]
    assert json.loads(filter["Pattern"]) == {
        "eventName": ["INSERT", "MODIFY"],
        "dynamodb": {"Keys": {"sk": {"S": [{"prefix": "hour#"}, {"prefix": "month#"}]}}},
    }


def test_without_targets_there_is_a_bus_and_nothing_that_costs(prod: Synthesized) -> None:
    assert prod.one(NOTICES, "AWS::Events::EventBus")["Name"] == "tallygate-prod-notices"
    types = {resource["Type"] for resource in prod.written[NOTICES]["Resources"].values()}
    for unwanted in ("SNS::Topic", "KMS::Key", "SecretsManager::Secret", "Events::Rule"):
        assert f"AWS::{unwanted}" not in types
    assert [function["FunctionName"] for function in prod.all(NOTICES, "AWS::Lambda::Function")] == [
        "tallygate-prod-notifier"
    ]


def test_other_regions_tell_nothing(two_homes: Synthesized) -> None:
    assert [where for where in two_homes.templates if where[0] == "notices"] == [NOTICES]


def rule(stage: Synthesized, part: str) -> dict[str, Any]:
    return stage.one(NOTICES, "AWS::Events::Rule", Name=f"tallygate-acceptance-notices-{part}")


@pytest.mark.parametrize("part", ["topic", "webhook"])
def test_each_target_is_told_every_notice_and_what_it_does_not_take_is_kept(two_homes: Synthesized, part: str) -> None:
    of = rule(two_homes, part)
    assert of["EventBusName"] == "tallygate-acceptance-notices"
    assert of["EventPattern"] == {"source": ["tallygate"], "detail-type": ["Quota Level Reached"]}
    (target,) = of["Targets"]
    assert target["DeadLetterConfig"] == {"Arn": MISSED}
    queues = [policy["PolicyDocument"] for policy in two_homes.all(NOTICES, "AWS::SQS::QueuePolicy")]
    allowed = [
        (statement["Principal"], statement["Resource"], statement["Condition"])
        for queue in queues
        for statement in queue["Statement"]
        if statement["Effect"] == "Allow"
    ]
    from_here = {"ArnEquals": {"aws:SourceArn": f"arn:aws:events:us-east-1:123456789012:rule/{of['Name']}"}}
    assert ({"Service": "events.amazonaws.com"}, MISSED, from_here) in allowed


def test_the_topic_is_encrypted_with_a_key_that_eventbridge_may_use(two_homes: Synthesized) -> None:
    topic = two_homes.one(NOTICES, "AWS::SNS::Topic")
    assert topic["KmsMasterKeyId"] == "<AWS::KMS::Key Arn>"
    key = two_homes.one(NOTICES, "AWS::KMS::Key")
    assert key["EnableKeyRotation"] is True
    (_, statement) = key["KeyPolicy"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    deny, allow = two_homes.one(NOTICES, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert (allow["Action"], allow["Principal"]) == ("sns:Publish", {"Service": "events.amazonaws.com"})
    assert "Condition" not in allow, "EventBridge brings nothing to a topic that a condition could be checked by"
    assert {each["Endpoint"] for each in two_homes.all(NOTICES, "AWS::SNS::Subscription")} == {
        "ops@example.com", "desk@example.com",
    }  # fmt: skip
    assert rule(two_homes, "topic")["Targets"][0]["InputPath"] == "$.detail.text"


def test_a_webhook_is_tried_again_for_a_day_and_then_kept(two_homes: Synthesized) -> None:
    queue = two_homes.one(NOTICES, "AWS::SQS::Queue", QueueName="tallygate-acceptance-webhook")
    assert queue["SqsManagedSseEnabled"] is True
    redrive = queue["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == MISSED
    assert redrive["maxReceiveCount"] * queue["VisibilityTimeout"] == 24 * 3600
    mapping = two_homes.one(NOTICES, "AWS::Lambda::EventSourceMapping", FunctionName="tallygate-acceptance-webhook")
    assert mapping["BatchSize"] == 1, "one that is not taken does not hold up another"
    # A message must not come again while its function is still at work.
    assert two_homes.function(NOTICES, "webhook")["Timeout"] * 6 <= queue["VisibilityTimeout"]


def test_the_secret_is_made_where_it_is_kept_and_is_base64(two_homes: Synthesized) -> None:
    secret = two_homes.one(NOTICES, "AWS::SecretsManager::Secret")
    assert "SecretString" not in secret
    made = secret["GenerateSecretString"]
    assert made["PasswordLength"] % 4 == 0
    assert set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") <= set(made["ExcludeCharacters"])
    assert "whsec" not in json.dumps(two_homes.written[NOTICES])


@pytest.mark.parametrize(
    ("part", "metric", "threshold"),
    [
        ("notices-late", "IteratorAge", 300_000),
        ("notices-errors", "Errors", 1),
        ("notices-missed", "ApproximateNumberOfMessagesVisible", 1),
    ],
)
def test_an_alarm_stands_on_what_would_go_untold(prod: Synthesized, part: str, metric: str, threshold: float) -> None:
    alarm = prod.one(NOTICES, "AWS::CloudWatch::Alarm", AlarmName=f"tallygate-prod-{part}")
    assert (alarm["MetricName"], alarm["Threshold"]) == (metric, threshold)
