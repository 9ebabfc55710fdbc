"""The form of the acquirer's notifications: strict Base64, and every single bit of the published one."""

import base64
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.inbound import sibs
from server.keys.acquirer import AcquirerKeys
from tests.vectors import contract_vector


def flipped(content: bytes) -> Iterator[bytes]:
    """The content with each of its bits damaged, one at a time."""
    for place in range(len(content) * 8):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        yield bytes(damaged)


def read(text: bytes) -> bytes | None:
    try:
        return sibs.decoded(text)
    except ValueError:
        return None


@given(st.binary(max_size=100))
def test_only_one_text_stands_for_the_same_bytes(content: bytes) -> None:
    text = base64.b64encode(content)
    assert read(text) == content
    assert all(read(damaged) != content for damaged in flipped(text))


@pytest.mark.parametrize(
    "text", [b"QQ", b"QQ=", b"QQ===", b"QR==", b"Q Q=", b"QQ==\n", b"-_==", b"4142", b"\xff\xff\xff\xff"]
)
def test_other_spellings_are_refused(text: bytes) -> None:
    found = read(text)
    assert found is None or base64.b64encode(found) == text


@pytest.mark.parametrize("field", ["body", "iv", "tag"])
def test_no_single_damaged_bit_of_the_published_notification_is_opened(field: str) -> None:
    """In the bytes, and in the Base64 that they travel as."""
    vector, keys = contract_vector("sibs-webhook-1.json"), AcquirerKeys()

    def opened(part: bytes | None) -> bytes | None:
        parts = vector | {field: part}
        return keys.open(vector["key"], parts["iv"], parts["tag"], parts["body"]) if part is not None else None

    assert opened(vector[field]) == vector["plaintext"].encode()
    damaged = [*flipped(vector[field]), *(read(text) for text in flipped(base64.b64encode(vector[field])))]
    assert len(damaged) > 200
    assert all(opened(part) is None for part in damaged)


def test_the_acknowledgement_is_exactly_what_the_contract_says() -> None:
    answer = sibs.acknowledgement("200", "de64fbe2-0e6e-4d94-b50c-3dac491e76ff")
    assert (answer.status, answer.body) == (
        200,
        b'{"statusCode":"200","statusMsg":"Success","notificationID":"de64fbe2-0e6e-4d94-b50c-3dac491e76ff"}',
    )
    assert dict(answer.headers)[b"content-type"] == b"application/json"


@pytest.mark.parametrize("path", [b"/sibs/notifications/w-1", b"/sibs/notifications/A.b_c-9"])
def test_an_address_names_a_config(path: bytes) -> None:
    assert sibs.PATH.fullmatch(path)


@pytest.mark.parametrize(
    "path",
    [
        b"/sibs/notifications/",
        b"/sibs/notifications/a/b",
        b"/sibs/notifications/a%2fb",
        b"/sibs/notifications/" + b"a" * 65,
    ],
)
def test_another_address_names_none(path: bytes) -> None:
    assert not sibs.PATH.fullmatch(path)
