import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.keys.acquirer import AcquirerKeys
from tests.vectors import vector_json


@pytest.fixture(scope="module")
def message() -> dict[str, bytes]:
    """What the acquirer publishes as a sample."""
    vector: dict[str, Any] = vector_json("../contracts/vectors/sibs-webhook-1.json")
    return {name: base64.b64decode(vector[name]) for name in ("key", "iv", "tag", "body")} | {
        "plaintext": vector["plaintext"].encode()
    }


def opened(message: dict[str, bytes], **changed: bytes) -> bytes | None:
    given = message | changed
    return AcquirerKeys().open(given["key"], given["iv"], given["tag"], given["body"])


def test_the_published_sample_opens(message: dict[str, bytes]) -> None:
    assert opened(message) == message["plaintext"]


@given(data=st.data(), part=st.sampled_from(["key", "iv", "tag", "body"]))
def test_any_flipped_bit_keeps_it_shut(data: st.DataObject, part: str, message: dict[str, bytes]) -> None:
    damaged = bytearray(message[part])
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert opened(message, **{part: bytes(damaged)}) is None


@pytest.mark.parametrize("part", ["key", "iv", "tag"])
def test_other_lengths_keep_it_shut(message: dict[str, bytes], part: str) -> None:
    for changed in (b"", message[part][:-1], message[part] + b"\0", message[part] * 2):
        assert opened(message, **{part: changed}) is None


def test_every_made_key_is_another() -> None:
    made = {AcquirerKeys().made_key() for _ in range(50)}
    assert len(made) == 50
    assert {len(key) for key in made} == {32}
