"""A home: its stream, consumer, tally and rejects queue."""

import pytest
from synthesized import Synthesized

from tallygate.core import names

HOME = ("home", "us-east-1")


def test_a_shard_has_one_writer_and_nothing_is_ever_discarded(prod: Synthesized) -> None:
    mapping = prod.one(HOME, "AWS::Lambda::EventSourceMapping")
    assert mapping["ParallelizationFactor"] == 1
    assert mapping["MaximumRetryAttempts"] == -1
    assert mapping["MaximumRecordAgeInSeconds"] == -1
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["BisectBatchOnFunctionError"] is True
    assert "FunctionResponseTypes" not in mapping, "a partial answer would be a second way to say what failed"
    assert "DestinationConfig" not in mapping, "a destination on failure would end the retries"


def test_a_batch_fits_the_time_that_its_function_has(prod: Synthesized) -> None:
    mapping = prod.one(HOME, "AWS::Lambda::EventSourceMapping")
    timeout_seconds = prod.function(HOME, "log_consumer")["Timeout"]
    # Ten lines a record, each with three identifiers of its own, at 10 ms for a write and eight at a time.
    assert mapping["BatchSize"] * 10 * 3 * 0.010 / 8 < timeout_seconds
    assert mapping["MaximumBatchingWindowInSeconds"] == 5


def test_the_mapping_reads_the_stream_for_the_consumer(prod: Synthesized) -> None:
    mapping = prod.one(HOME, "AWS::Lambda::EventSourceMapping")
    assert mapping["EventSourceArn"].endswith(":us-east-1:123456789012:stream/tallygate-prod-usage")
    assert mapping["FunctionName"] == "tallygate-prod-log-consumer"


def test_the_stream_keeps_lines_as_long_as_configured_and_encrypts_them(
    prod: Synthesized, two_homes: Synthesized
) -> None:
    stream = prod.one(HOME, "AWS::Kinesis::Stream")
    assert stream["RetentionPeriodHours"] == 24
    assert stream["StreamEncryption"] == {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
    for home in ("us-east-1", "eu-central-1"):
        assert two_homes.one(("home", home), "AWS::Kinesis::Stream")["RetentionPeriodHours"] == 48


def test_the_tally_has_the_names_that_the_code_uses(prod: Synthesized) -> None:
    table = prod.one(HOME, "AWS::DynamoDB::Table")
    assert table["TableName"] == prod.names.tally_table == "tallygate-prod-tally"
    assert table["KeySchema"] == [
        {"AttributeName": names.PK, "KeyType": "HASH"},
        {"AttributeName": names.SK, "KeyType": "RANGE"},
    ]
    assert table["TimeToLiveSpecification"] == {"AttributeName": names.EXPIRES, "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    (index,) = table["GlobalSecondaryIndexes"]
    assert index["IndexName"] == names.TOP_INDEX
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert index["KeySchema"] == [
        {"AttributeName": names.RANK_PARTITION, "KeyType": "HASH"},
        {"AttributeName": names.RANK, "KeyType": "RANGE"},
    ]
    assert {"AttributeName": names.RANK, "AttributeType": "N"} in table["AttributeDefinitions"]


def test_rejects_wait_for_two_weeks_encrypted_and_over_tls_only(prod: Synthesized) -> None:
    queue = prod.one(HOME, "AWS::SQS::Queue")
    assert queue["QueueName"] == prod.names.rejects_queue
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert queue["SqsManagedSseEnabled"] is True
    (statement,) = prod.one(HOME, "AWS::SQS::QueuePolicy")["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Deny", "sqs:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize("home", ["us-east-1", "eu-central-1"])
def test_each_home_counts_into_its_own_tables(two_homes: Synthesized, home: str) -> None:
    where = ("home", home)
    mapping = two_homes.one(where, "AWS::Lambda::EventSourceMapping")
    assert mapping["EventSourceArn"] == f"arn:aws:kinesis:{home}:123456789012:stream/tallygate-acceptance-usage"
    environment = two_homes.function(where, "log_consumer")["Environment"]["Variables"]
    assert environment["TALLYGATE_HOME"] == home
    assert environment["TALLYGATE_REJECTS_QUEUE_URL"].startswith(f"https://sqs.{home}.")


@pytest.mark.parametrize(
    ("part", "metric", "threshold"),
    [
        ("counting-late", "IteratorAge", 60_000),
        ("counting-stuck", "IteratorAge", 12 * 3_600_000),
        ("counting-errors", "Errors", 1),
        ("rejects", "ApproximateNumberOfMessagesVisible", 1),
    ],
)
def test_an_alarm_stands_on_what_would_lose_counts(prod: Synthesized, part: str, metric: str, threshold: float) -> None:
    alarm = prod.one(HOME, "AWS::CloudWatch::Alarm", AlarmName=f"tallygate-prod-{part}")
    assert (alarm["MetricName"], alarm["Threshold"]) == (metric, threshold)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    (dimension,) = alarm["Dimensions"]
    assert dimension["Name"] == ("QueueName" if part == "rejects" else "FunctionName")


def test_an_alarm_stands_on_repeats_that_come_near_the_end_of_their_window(prod: Synthesized) -> None:
    alarm = prod.one(HOME, "AWS::CloudWatch::Alarm", AlarmName="tallygate-prod-late-repeats")
    service = prod.function(HOME, "log_consumer")["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("Tallygate", "OldestRepeat")
    assert alarm["Dimensions"] == [{"Name": "service", "Value": service}]
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Maximum", 1_800_000)
