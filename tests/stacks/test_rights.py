"""Each role may do what its function's code does, on its own resources, and nothing else."""

import ast

import pytest
from synthesized import ROOT, Synthesized, Where

from stacks.closure import closure

OWN_LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
READING_A_TABLES_STREAM = {
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
}
READING_A_QUEUE = {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
POLLING = {"kinesis:DescribeStream", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"}
"""What event source mappings do in a function's name."""
ACTIONS = {
    "batch_get_item": "dynamodb:BatchGetItem",
    "batch_write_item": "dynamodb:BatchWriteItem",
    "delete_item": "dynamodb:DeleteItem",
    "describe_stream_summary": "kinesis:DescribeStreamSummary",
    "get_item": "dynamodb:GetItem",
    "get_queue_attributes": "sqs:GetQueueAttributes",
    "get_queue_url": "sqs:GetQueueUrl",
    "get_records": "kinesis:GetRecords",
    "get_shard_iterator": "kinesis:GetShardIterator",
    "put_item": "dynamodb:PutItem",
    "get_secret_value": "secretsmanager:GetSecretValue",
    "put_events": "events:PutEvents",
    "query": "dynamodb:Query",
    "scan": "dynamodb:Scan",
    "Delete": "dynamodb:DeleteItem",
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "send_message": "sqs:SendMessage",
    "send_message_batch": "sqs:SendMessage",
    "transact_get_items": "dynamodb:GetItem",
    "update_item": "dynamodb:UpdateItem",
}
"""Methods of boto3's clients and the writes of a transaction, and what IAM calls them; the transaction itself needs no
right of its own."""


def grants(stage: Synthesized, where: Where, role: str) -> dict[str, set[str]]:
    """Resource to the actions allowed on it, for everything that a role may do."""
    properties = stage.one(where, "AWS::IAM::Role", RoleName=role)
    assert "ManagedPolicyArns" not in properties
    assert stage.all(where, "AWS::IAM::Policy") == [], "rights are in the roles, where they are complete from the start"
    found: dict[str, set[str]] = {}
    for policy in properties["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            for resource in _listed(statement["Resource"]):
                found.setdefault(resource, set()).update(_listed(statement["Action"]))
    return found


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def table(stage: Synthesized, region: str, name: str) -> str:
    return f"arn:aws:dynamodb:{region}:123456789012:table/{stage.names.prefix}-{name}"


def log_of(stage: Synthesized, region: str, function: str) -> str:
    return f"arn:aws:logs:{region}:123456789012:log-group:/aws/lambda/{stage.names.prefix}-{function}:*"


def test_the_authorizer_only_queries_the_gate_beside_it(prod: Synthesized) -> None:
    assert grants(prod, ("region", "eu-west-1"), "tallygate-prod-eu-west-1-authorizer") == {
        log_of(prod, "eu-west-1", "authorizer"): OWN_LOG,
        table(prod, "eu-west-1", "gate"): {"dynamodb:Query"},
    }


def test_the_api_only_reads_and_reads_the_tally_of_every_home(two_homes: Synthesized) -> None:
    assert grants(two_homes, ("region", "eu-west-1"), "tallygate-acceptance-eu-west-1-api") == {
        log_of(two_homes, "eu-west-1", "api"): OWN_LOG,
        table(two_homes, "us-east-1", "tally"): {"dynamodb:GetItem", "dynamodb:Query"},
        table(two_homes, "eu-central-1", "tally"): {"dynamodb:GetItem", "dynamodb:Query"},
        table(two_homes, "eu-west-1", "gate"): {"dynamodb:Query"},
    }


def test_the_counters_function_reads_counters_and_writes_sequences_and_epochs_and_nothing_else(
    two_homes: Synthesized,
) -> None:
    where, role = ("region", "eu-west-1"), "tallygate-acceptance-eu-west-1-counters"
    gate = table(two_homes, "us-east-1", "gate")
    tally, elsewhere = (table(two_homes, home, "tally") for home in ("us-east-1", "eu-central-1"))
    assert grants(two_homes, where, role) == {
        log_of(two_homes, "eu-west-1", "counters"): OWN_LOG,
        gate: {"dynamodb:GetItem", "dynamodb:UpdateItem"},
        tally: {"dynamodb:Query", "dynamodb:UpdateItem"},
        elsewhere: {"dynamodb:Query"},
    }
    (policy,) = two_homes.one(where, "AWS::IAM::Role", RoleName=role)["Policies"]
    statements = [each for each in policy["PolicyDocument"]["Statement"] if "Condition" in each]
    assert [(_listed(each["Action"]), _listed(each["Resource"]), each["Condition"]) for each in statements] == [
        (
            ["dynamodb:GetItem", "dynamodb:UpdateItem"],
            [gate],
            {
                "ForAllValues:StringLike": {
                    "dynamodb:LeadingKeys": "key#*",
                    "dynamodb:Attributes": ["pk", "sk", "ctr"],
                },
                "StringEqualsIfExists": {
                    "dynamodb:Select": "SPECIFIC_ATTRIBUTES",
                    "dynamodb:ReturnValues": ["NONE", "UPDATED_OLD", "UPDATED_NEW"],
                },
            },
        ),
        (["dynamodb:UpdateItem"], [tally], only("seq#*")),
        (["dynamodb:Query"], [tally, elsewhere], only("ctr#*")),
    ]


def test_the_consumer_writes_neither_sequences_nor_the_audit_trail_nor_what_was_told(prod: Synthesized) -> None:
    (policy,) = prod.one(("home", "us-east-1"), "AWS::IAM::Role", RoleName="tallygate-prod-us-east-1-log-consumer")[
        "Policies"
    ]
    conditions = [
        each.get("Condition")
        for each in policy["PolicyDocument"]["Statement"]
        if each["Resource"] == table(prod, "us-east-1", "tally")
    ]
    others = {"dynamodb:LeadingKeys": ["seq#*", "audit#*", "request#*", "told#*"]}
    assert conditions == [{"ForAllValues:StringNotLike": others}]


def test_the_consumer_writes_in_its_own_home_only(two_homes: Synthesized) -> None:
    assert grants(two_homes, ("home", "eu-central-1"), "tallygate-acceptance-eu-central-1-log-consumer") == {
        log_of(two_homes, "eu-central-1", "log-consumer"): OWN_LOG,
        "arn:aws:kinesis:eu-central-1:123456789012:stream/tallygate-acceptance-usage": {
            *POLLING,
            "kinesis:DescribeStreamSummary",
        },
        table(two_homes, "eu-central-1", "tally"): {
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
        },
        table(two_homes, "eu-central-1", "gate"): {"dynamodb:PutItem"},
        "arn:aws:sqs:eu-central-1:123456789012:tallygate-acceptance-rejects": {"sqs:SendMessage"},
    }


def test_the_operators_function_writes_keys_and_adds_to_the_trail_and_nothing_else(two_homes: Synthesized) -> None:
    where, role = ("ops", "us-east-1"), "tallygate-acceptance-us-east-1-ops"
    gate, tally = table(two_homes, "us-east-1", "gate"), table(two_homes, "us-east-1", "tally")
    assert grants(two_homes, where, role) == {
        log_of(two_homes, "us-east-1", "ops"): OWN_LOG,
        gate: {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"},
        f"{gate}/index/owner": {"dynamodb:Query", "dynamodb:Scan"},
        tally: {"dynamodb:PutItem"},
    }
    (policy,) = two_homes.one(where, "AWS::IAM::Role", RoleName=role)["Policies"]
    partitions = {
        (statement["Resource"], tuple(_listed(statement["Action"]))): statement["Condition"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "Condition" in statement
    }
    assert partitions == {
        (gate, ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")): only("key#*"),
        (gate, ("dynamodb:GetItem",)): only("plans"),
        (tally, ("dynamodb:PutItem",)): only(["audit#*", "request#*"]),
    }


def test_the_reader_of_questions_reads_what_is_counted_in_every_home_and_no_more(two_homes: Synthesized) -> None:
    where, role = ("ops", "us-east-1"), "tallygate-acceptance-us-east-1-ops-reader"
    gate = table(two_homes, "us-east-1", "gate")
    expected = {
        log_of(two_homes, "us-east-1", "ops-reader"): OWN_LOG,
        gate: {"dynamodb:BatchGetItem", "dynamodb:Query"},
        f"{gate}/index/owner": {"dynamodb:Query", "dynamodb:Scan"},
    }
    for home in ("us-east-1", "eu-central-1"):
        tally = table(two_homes, home, "tally")
        expected |= {
            tally: {"dynamodb:BatchGetItem", "dynamodb:Query"},
            f"{tally}/index/top": {"dynamodb:Query"},
            f"arn:aws:kinesis:{home}:123456789012:stream/tallygate-acceptance-usage": {
                "kinesis:DescribeStreamSummary",
                "kinesis:GetShardIterator",
                "kinesis:GetRecords",
            },
            f"arn:aws:sqs:{home}:123456789012:tallygate-acceptance-rejects": {
                "sqs:GetQueueUrl",
                "sqs:GetQueueAttributes",
            },
        }
    assert grants(two_homes, where, role) == expected
    (policy,) = two_homes.one(where, "AWS::IAM::Role", RoleName=role)["Policies"]
    callers = ["ip#*", "ref#*", "key#*", "owner#*"]
    for statement in policy["PolicyDocument"]["Statement"]:
        if "Condition" in statement:
            beside = ["plans"] if statement["Resource"] == gate else ["all#*", "seen#*", "writers"]
            assert statement["Condition"] == only([*callers, *beside]), "no audit trail, no requests, no counters"


def test_the_reader_of_questions_may_do_all_that_its_code_does_and_nothing_else(prod: Synthesized) -> None:
    allowed = set().union(*grants(prod, ("ops", "us-east-1"), "tallygate-prod-us-east-1-ops-reader").values()) - OWN_LOG
    assert allowed == set().union(*calls("ops_reader").values())


def only(partitions: str | list[str]) -> dict:
    return {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": partitions}}


def test_the_notifier_reads_callers_and_plans_and_writes_what_it_told(two_homes: Synthesized) -> None:
    where, role = ("notices", "us-east-1"), "tallygate-acceptance-us-east-1-notifier"
    gate, tally = table(two_homes, "us-east-1", "gate"), table(two_homes, "us-east-1", "tally")
    assert grants(two_homes, where, role) == {
        log_of(two_homes, "us-east-1", "notifier"): OWN_LOG,
        f"{gate}/stream/*": READING_A_TABLES_STREAM - {"dynamodb:ListStreams"},
        "*": {"dynamodb:ListStreams"},
        gate: {"dynamodb:GetItem", "dynamodb:Query"},
        f"{gate}/index/owner": {"dynamodb:Query"},
        tally: {"dynamodb:BatchGetItem", "dynamodb:PutItem"},
        "arn:aws:events:us-east-1:123456789012:event-bus/tallygate-acceptance-notices": {"events:PutEvents"},
        "arn:aws:sqs:us-east-1:123456789012:tallygate-acceptance-notices-missed": {"sqs:SendMessage"},
    }
    (policy,) = two_homes.one(where, "AWS::IAM::Role", RoleName=role)["Policies"]
    partitions = [
        statement["Condition"] for statement in policy["PolicyDocument"]["Statement"] if "Condition" in statement
    ]
    assert partitions == [only(["ip#*", "ref#*", "key#*", "owner#*"]), only(["key#*", "plans"]), only(["told#*"])]


def test_the_webhook_reads_its_queue_and_its_secret_and_nothing_else(two_homes: Synthesized) -> None:
    assert grants(two_homes, ("notices", "us-east-1"), "tallygate-acceptance-us-east-1-webhook") == {
        log_of(two_homes, "us-east-1", "webhook"): OWN_LOG,
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:tallygate-acceptance-webhook-abcdef": {
            "secretsmanager:GetSecretValue"
        },
        "arn:aws:sqs:us-east-1:123456789012:tallygate-acceptance-webhook": READING_A_QUEUE,
    }


def test_no_other_function_may_write_a_profile(prod: Synthesized) -> None:
    for where in prod.templates:
        for role in prod.all(where, "AWS::IAM::Role"):
            if role["RoleName"].endswith("-counters"):
                continue  # its epochs alone, as above
            for resource, actions in grants(prod, where, role["RoleName"]).items():
                if resource.endswith("-gate") and where[0] != "ops":
                    # The consumer puts whole rows of usage, under sort keys of its own home.
                    assert actions <= {"dynamodb:Query", "dynamodb:GetItem", "dynamodb:PutItem"}
                    assert where[0] == "home" or "dynamodb:PutItem" not in actions


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_log_delivery_may_only_put_records_and_only_for_logs_of_the_serving_region(
    prod: Synthesized, region: str
) -> None:
    where, name = ("region", region), f"tallygate-prod-{region}-usage-logs"
    assert grants(prod, where, name) == {
        "arn:aws:kinesis:us-east-1:123456789012:stream/tallygate-prod-usage": {"kinesis:PutRecord"}
    }
    (trust,) = prod.one(where, "AWS::IAM::Role", RoleName=name)["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "logs.amazonaws.com"}
    assert trust["Condition"] == {"StringLike": {"aws:SourceArn": f"arn:aws:logs:{region}:123456789012:*"}}


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "ap-southeast-2"])
def test_only_this_api_may_invoke_the_functions(prod: Synthesized, region: str) -> None:
    for permission in prod.all(("region", region), "AWS::Lambda::Permission"):
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert permission["SourceArn"].startswith(
            f"arn:aws:execute-api:{region}:123456789012:<AWS::ApiGatewayV2::Api>/"
        )


SETTINGS = {
    "gate_table": "gate",
    "tally_table": "tally",
    "rejects_queue_url": "rejects",
    "notices_bus": "notices",
    "webhook_secret": "webhook-abcdef",
}
"""The setting with which an adapter is made, and the resource that it names."""


def calls(part: str) -> dict[str, set[str]]:
    """Resource to the AWS actions that the code in a function's asset makes on it. An adapter's calls go to the
    resource of the setting that it is made with; those of the function's own code go to its stream."""
    trees = [ast.parse((ROOT / file).read_bytes()) for file in closure(ROOT, f"functions.{part}")]
    made_with = {
        node.func.id: SETTINGS[setting]
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        for argument in node.args
        if (setting := _name(argument)) in SETTINGS
    }
    for tree in trees:  # what a class inherits is done on the same resource
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name in made_with:
                made_with |= {_name(base): made_with[node.name] for base in node.bases}
    found: dict[str, set[str]] = {}
    for tree in trees:
        classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)} & made_with.keys()
        for action in filter(None, map(_action, ast.walk(tree))):
            for resource in [made_with[name] for name in classes] or ["usage"]:
                found.setdefault(resource, set()).add(action)
    return found


def _name(argument: ast.expr) -> str:
    """`gate_table`, of `settings.gate_table` or of an argument that is passed on."""
    match argument:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def _action(node: ast.AST) -> str | None:
    match node:
        case ast.Dict([ast.Constant(str(write))], [ast.Dict()]) if write in ("Delete", "Put", "Update"):
            return ACTIONS[write]
        case ast.Call(ast.Attribute(attr="get_paginator"), [ast.Constant(str(method))]):
            return ACTIONS[method]
        case ast.Call(ast.Attribute(attr=method)) if method in ACTIONS:
            return ACTIONS[method]
        case ast.Call(ast.Name("Operation"), [ast.Constant(operation), *_]):  # of tallygate/aws/dynamodb_http.py
            return f"dynamodb:{operation}"
    return None


@pytest.mark.parametrize(
    ("where", "part"),
    [
        (("region", "eu-west-1"), "authorizer"),
        (("region", "eu-west-1"), "api"),
        (("region", "eu-west-1"), "counters"),
        (("home", "us-east-1"), "log_consumer"),
        (("ops", "us-east-1"), "ops"),
        (("notices", "us-east-1"), "notifier"),
        (("notices", "us-east-1"), "webhook"),
    ],
)
def test_a_role_allows_the_calls_that_its_function_makes_on_each_resource_and_no_other(
    two_homes: Synthesized, where: Where, part: str
) -> None:
    allowed: dict[str, set[str]] = {}
    role = f"{two_homes.names.prefix}-{where[1]}-{part.replace('_', '-')}"
    for arn, actions in grants(two_homes, where, role).items():
        left = actions - OWN_LOG - POLLING - READING_A_TABLES_STREAM - READING_A_QUEUE
        if left and not arn.endswith("-notices-missed"):  # to which Lambda itself sends
            resource = arn.rpartition(f"{two_homes.names.prefix}-")[2].partition("/index/")[0]
            allowed.setdefault(resource, set()).update(left)
    assert allowed == calls(part)
