"""What issuers' own systems may answer. They are others' programs: nothing of theirs goes on unchecked."""

import re

from google.protobuf.message import Message
from mintmark.directory.v1 import card_directory_pb2 as pb
from mintmark.v1 import card_verifications_pb2, consumers_pb2
from mintmark.v1.card_verifications_pb2 import CardVerificationAnswer

from adapters import card_numbers, json

LONGEST_ANSWER = 64 * 1024
ANSWER_DEPTH = 32
LONGEST_TEXT = 256
CARD_ID = re.compile(r"[A-Za-z0-9_-]{1,48}")
PERSON_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_OF_CONSUMERS = {
    "language": re.compile(r"[a-z]{2}-[a-zA-Z]{2}"),
    "date_of_birth": re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"),
    "mobile_phone_country_code": re.compile(r"\+[1-9][0-9]{0,3}"),
    "mobile_phone_number": re.compile(r"[0-9]{3,15}"),
    "email": re.compile(r"[^@\s]+@[^@\s]+"),
    "country_code": re.compile(r"[A-Z]{2}"),
}
# Digits by their nature: any that are long enough may look like a card number.
_NUMBERS = {"mobile_phone_number"}


class AnswerOdd(Exception):
    """It cannot be an answer. The text says why, and quotes nothing of it."""


def verification(
    answer: pb.VerifyCardResponse, *, code_given: bool, code_asked: bool
) -> card_verifications_pb2.CardVerificationAnswer:
    """The answer for D1. Raises AnswerOdd.

    A security code counts as valid where D1 gave none, or where the issuer's system was asked (`code_asked`), says so,
    and does not say in the same breath that it does not compare any more.
    """
    _check_id("card_id", answer.card_id, CARD_ID)
    _check_id("consumer_id", answer.consumer_id, PERSON_ID)
    _check_id("account_id", answer.account_id, PERSON_ID)
    if not answer.card_invalid and not (answer.card_id and answer.consumer_id):
        raise AnswerOdd("a card that is not invalid needs card_id and consumer_id")
    if not answer.card_invalid and (answer.lost_or_stolen or answer.expired):
        raise AnswerOdd("a card that is lost or expired must be invalid")
    compared = code_asked and not answer.verification_attempts_exceeded
    return CardVerificationAnswer(
        card_id=answer.card_id,
        consumer_id="" if answer.card_invalid else answer.consumer_id,
        account_id=answer.account_id,
        card_invalid=answer.card_invalid,
        lost_or_stolen=answer.lost_or_stolen,
        expired=answer.expired,
        fraud_suspect=answer.fraud_suspect,
        security_code_valid=(compared and answer.security_code_valid) if code_given else True,
        verification_attempts_exceeded=answer.verification_attempts_exceeded,
    )


def personal_data(answer: pb.GetConsumerInformationResponse) -> consumers_pb2.PersonalData:
    """What is told of a cardholder. Raises AnswerOdd."""
    if not answer.HasField("personal_data"):
        raise AnswerOdd("personal_data is missing")
    _check_texts(answer.personal_data)
    if answer.personal_data.HasField("residency_address"):
        _check_texts(answer.personal_data.residency_address)
    if bool(answer.personal_data.mobile_phone_number) != bool(answer.personal_data.mobile_phone_country_code):
        raise AnswerOdd("a mobile phone number and its country code: both or neither")
    return answer.personal_data


def json_object(answer: pb.AuthenticateResponse | pb.GetAuthenticationResultResponse) -> bytes:
    """The JSON object that D1 is answered, as it may be sent. Raises AnswerOdd."""
    sent = answer.answer_json.encode()
    if len(sent) > LONGEST_ANSWER:
        raise AnswerOdd(f"answer_json has more than {LONGEST_ANSWER} bytes")
    try:
        document = json.parse(sent, ANSWER_DEPTH)
    except json.Unreadable as unreadable:
        raise AnswerOdd(f"answer_json: {unreadable}") from None
    if document.duplicate_key:
        raise AnswerOdd("answer_json has a name twice")
    return json.written(document.fields).encode()


def nothing(_answer: Message) -> None:
    """There is nothing in it."""


def _check_id(name: str, text: str, form: re.Pattern[str]) -> None:
    if text and not form.fullmatch(text):
        raise AnswerOdd(f"{name} is not in the documented format")
    if card_numbers.cut_identifier(text) != text:
        raise AnswerOdd(f"{name} holds a card number")


def _check_texts(message: consumers_pb2.PersonalData | consumers_pb2.PostalAddress) -> None:
    for field, value in message.ListFields():
        if not isinstance(value, str):
            continue
        form = _OF_CONSUMERS.get(field.name)
        if field.name not in _NUMBERS and card_numbers.cut(value) != value:
            raise AnswerOdd(f"{field.name} holds a card number")
        if len(value) > LONGEST_TEXT or "\0" in value or (form and not form.fullmatch(value)):
            raise AnswerOdd(f"{field.name} is not in the documented format")
