"""API keys: what `mint` makes is taken, and nothing else is."""

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.core import keys

stages = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,5}){0,2}", fullmatch=True)
secrets = st.builds(lambda stage, seed: keys.mint(stage, random.Random(seed).choice), stages, st.integers(0, 2**32))


@given(stages, st.integers(0, 2**32))
def test_a_minted_key_tells_its_stage(stage: str, seed: int) -> None:
    assert keys.stage_of(keys.mint(stage, random.Random(seed).choice)) == stage


def test_a_minted_key_looks_the_same_for_the_same_randomness() -> None:
    assert keys.mint("prod", lambda alphabet: alphabet[10]) == "tg_prod_" + "A" * 30 + "1CNZ5R"


@given(secrets, st.data())
def test_a_key_with_one_wrong_character_is_refused_offline(secret: str, data: st.DataObject) -> None:
    position = data.draw(st.integers(len(secret) - 36, len(secret) - 1))
    other = data.draw(st.sampled_from([char for char in keys.ALPHABET if char != secret[position]]))
    assert keys.stage_of(secret[:position] + other + secret[position + 1 :]) is None


@given(secrets, st.integers(0, 100))
def test_a_key_cut_short_is_refused_offline(secret: str, length: int) -> None:
    assert keys.stage_of(secret[: min(length, len(secret) - 1)]) is None


@given(st.text(max_size=120))
def test_made_up_text_is_no_key(text: str) -> None:
    assert keys.stage_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tg_",
        "tg_prod_",
        "tg_Prod_" + "A" * 36,
        "tg_prod_" + "٣" * 36,
        "tg_prod_" + "A" * 30 + "zzzzzz",
        "tg_" * 5000,
    ],
)
def test_what_is_not_a_key_is_refused(text: str) -> None:
    assert keys.stage_of(text) is None


@pytest.mark.parametrize("stage", ["", "Prod", "9th", "a--b", "a_b", "prod-", "a" * 33, "prod\n"])
def test_a_stage_that_could_not_be_read_back_is_not_minted(stage: str) -> None:
    with pytest.raises(ValueError, match="stage"):
        keys.mint(stage, random.Random(0).choice)


@given(secrets)
def test_the_key_id_is_the_start_of_the_hash(secret: str) -> None:
    whole = hashlib.sha256(secret.encode()).hexdigest()
    assert keys.secret_hash(secret) == whole
    assert keys.key_id(secret) == whole[:16]


@given(secrets, secrets)
def test_hashes_are_compared_whole(one: str, other: str) -> None:
    assert keys.is_same_hash(keys.secret_hash(one), keys.secret_hash(other)) == (one == other)
    assert not keys.is_same_hash(keys.key_id(one), keys.secret_hash(one))
