"""The gate: one global table in every region that needs it."""

from synthesized import Synthesized

from tallygate.aws.key_store import _row
from tallygate.core import names
from tallygate.core.key_admin import StoredProfile
from tallygate.core.key_profile import KeyProfile
from tallygate.core.plans import Limit

GATE = ("gate", "us-east-1")


def gate(stage: Synthesized) -> dict:
    return stage.one(GATE, "AWS::DynamoDB::GlobalTable")


def test_a_replica_stands_wherever_callers_are_decided_on_or_counts_published_from(
    prod: Synthesized, two_homes: Synthesized
) -> None:
    def regions(stage: Synthesized) -> set[str]:
        return {replica["Region"] for replica in gate(stage)["Replicas"]}

    assert regions(prod) == {"us-east-1", "eu-west-1", "ap-southeast-2"}
    assert regions(two_homes) == {"us-east-1", "eu-central-1", "eu-west-1", "ap-southeast-2"}


def test_keys_expiry_and_index_have_the_names_that_the_code_uses(prod: Synthesized) -> None:
    table = gate(prod)
    assert table["TableName"] == "tallygate-prod-gate" == prod.names.gate_table
    assert table["KeySchema"] == [
        {"AttributeName": names.PK, "KeyType": "HASH"},
        {"AttributeName": names.SK, "KeyType": "RANGE"},
    ]
    assert table["TimeToLiveSpecification"] == {"AttributeName": names.EXPIRES, "Enabled": True}
    (index,) = table["GlobalSecondaryIndexes"]
    assert index["IndexName"] == names.OWNER_INDEX
    assert index["KeySchema"] == [{"AttributeName": names.KEY_OWNER, "KeyType": "HASH"}]


def test_the_index_of_owners_can_list_keys_and_holds_no_hash(prod: Synthesized) -> None:
    projected = set(gate(prod)["GlobalSecondaryIndexes"][0]["Projection"]["NonKeyAttributes"])
    stored = _row(
        StoredProfile(
            KeyProfile(
                "0" * 16, "o", "p", "active", "", 1, "n", ("h",), ("r",), "f", "t", "c", (Limit("key", 1, "day"),)
            ),
            "h",
        )
    )
    assert projected == stored.keys() - {names.PK, names.SK, names.KEY_OWNER, names.KEY_HASH}


def test_a_real_gate_is_protected_and_recoverable_in_every_replica(prod: Synthesized) -> None:
    for replica in gate(prod)["Replicas"]:
        assert replica["DeletionProtectionEnabled"] is True, replica["Region"]
        assert replica["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True, replica["Region"]


def test_it_is_billed_by_request(prod: Synthesized) -> None:
    assert gate(prod)["BillingMode"] == "PAY_PER_REQUEST"
