"""An opened notification: what of it is kept, and what must not be believed."""

import json

import pytest

from server.domain import acquirer_notifications
from server.domain.notifications import NotificationFlag, QuarantineReason
from tests.server.rpc.acquiring import said

CARD = "4111111111111111"


def body(**fields: object) -> bytes:
    return json.dumps(said(**fields)).encode()


def test_the_id_is_repeated_as_it_came_and_kept_without_a_card_number() -> None:
    message = acquirer_notifications.read(body(notificationID=CARD))
    assert (message.notification_id, message.kept_id) == (CARD, "411111******1111")
    assert CARD.encode() not in message.body + message.content
    assert NotificationFlag.CARD_NUMBER_CUT in message.flags


@pytest.mark.parametrize("given", ["x", " x ", "żółć", 'a"b\\c'])
def test_any_text_may_be_an_id(given: str) -> None:
    assert acquirer_notifications.read(body(notificationID=given)).notification_id == given


def test_an_id_that_is_a_number_is_its_text() -> None:
    assert acquirer_notifications.read(body(notificationID=17)).notification_id == "17"


@pytest.mark.parametrize("given", [None, "", [], {}, True])
def test_without_an_id_it_is_malformed(given: object) -> None:
    assert acquirer_notifications.read(body(notificationID=given)).problem is QuarantineReason.FIELD_INVALID


@pytest.mark.parametrize("plaintext", [b"", b"\xff\x00", b"[]", b"{" + CARD.encode()])
def test_what_is_no_json_is_malformed_and_kept_without_card_numbers(plaintext: bytes) -> None:
    message = acquirer_notifications.read(plaintext)
    assert message.problem is QuarantineReason.BODY_UNREADABLE
    assert CARD.encode() not in message.body + message.content


def test_the_same_content_is_one_however_it_is_spelled() -> None:
    fields = said(notificationID="n", transactionID="t")
    spelled = (json.dumps(fields), json.dumps(dict(reversed(fields.items())), indent=2))
    contents = {acquirer_notifications.read(each.encode()).content for each in spelled}
    assert len(contents) == 1
    assert acquirer_notifications.read(body(notificationID="n", transactionID="t", more=1)).content not in contents


@pytest.mark.parametrize("word", ["test", "TEST", " Test "])
def test_the_test_button_is_told_by_its_fixed_word(word: str) -> None:
    assert acquirer_notifications.is_test(acquirer_notifications.read(body(transactionID=word)), ("Test",))


@pytest.mark.parametrize("given", ["testing", "", "t-1"])
def test_another_id_is_no_test(given: str) -> None:
    assert not acquirer_notifications.is_test(acquirer_notifications.read(body(transactionID=given)), ("test",))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("t" * 100, None),
        (None, QuarantineReason.IDENTIFIER_UNUSABLE),
        ("", QuarantineReason.IDENTIFIER_UNUSABLE),
        ("  ", QuarantineReason.IDENTIFIER_UNUSABLE),
        ("t" * 2000, QuarantineReason.IDENTIFIER_UNUSABLE),
        ("/" * 400, QuarantineReason.IDENTIFIER_UNUSABLE),
        (f"x {CARD}", QuarantineReason.CARD_NUMBER_IN_IDENTIFIER),
        (int(CARD), QuarantineReason.CARD_NUMBER_IN_IDENTIFIER),
    ],
)
def test_what_cannot_tell_a_transaction_apart_is_unusable(given: object, reason: QuarantineReason | None) -> None:
    message = acquirer_notifications.read(body(transactionID=given))
    assert acquirer_notifications.unusable(message, "account") is reason
