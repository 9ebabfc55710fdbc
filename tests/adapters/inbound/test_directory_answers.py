"""What an issuer's own system is told of a call, and what it may answer."""

import json

import pytest
from google.protobuf.message import Message
from mintmark.directory.v1 import card_directory_pb2 as pb
from mintmark.v1 import accounts_pb2, consumers_pb2
from mintmark.v1.card_verifications_pb2 import CardVerificationAnswer

from adapters.inbound import directory_channel
from adapters.inbound.directory_answers import LONGEST_ANSWER
from adapters.inbound.directory_failures import (
    DirectoryUnavailable,
)
from tests.adapters.inbound.asking import BY, CARD, ISSUER, Asking
from tests.adapters.inbound.fake_directory import FakeDirectory


def test_a_card_is_verified_by_a_jwe_for_the_issuers_key_alone(asking: Asking, directory: FakeDirectory) -> None:
    answer = asking.verify({**CARD, "track": "not ours to tell"})
    assert answer == CardVerificationAnswer(card_id="card-7", consumer_id="consumer-7", security_code_valid=True)
    [(_, request)] = directory.asked
    assert (request.context.issuer_id, request.context.correlation_id) == (ISSUER, "c-1")
    assert (request.proposed_card_id, request.bin) == ("proposed", "411111")
    assert directory.cards == [CARD]
    assert CARD["pan"].encode() not in request.SerializeToString()
    assert asking.counted("VerifyCard", "answered") == 1


def test_each_jwe_has_a_key_of_its_own(asking: Asking, directory: FakeDirectory) -> None:
    asking.verify()
    asking.verify()
    first, second = (request.encrypted_card for _, request in directory.asked)
    assert first.partition(".")[0] != second.partition(".")[0]


@pytest.mark.parametrize(
    ("mode", "given", "said", "exceeded", "passed_on", "valid"),
    [
        ("WITH_SECURITY_CODE", "123", True, False, True, True),
        ("WITH_SECURITY_CODE", "123", False, False, True, False),
        ("WITH_SECURITY_CODE", "123", True, True, True, False),
        ("WITH_SECURITY_CODE", "", False, False, False, True),
        ("WITHOUT_SECURITY_CODE", "123", True, False, False, False),
        ("WITHOUT_SECURITY_CODE", "", False, False, False, True),
    ],
)
def test_a_security_code_is_never_valid_that_nobody_checked(
    asking: Asking, mode: str, given: str, said: bool, exceeded: bool, passed_on: bool, valid: bool
) -> None:
    account = asking.directory.account(ISSUER)
    account.d1_issuer.card_verification = accounts_pb2.CardVerificationMode.Value(f"CARD_VERIFICATION_MODE_{mode}")
    asking.state(account)
    asking.directory.answers["VerifyCard"] = pb.VerifyCardResponse(
        card_id="card-7", consumer_id="c", security_code_valid=said, verification_attempts_exceeded=exceeded
    )
    answer = asking.verify({**CARD, "cvv": given})
    assert answer.security_code_valid is valid
    assert answer.verification_attempts_exceeded is exceeded
    assert ("cvv" in asking.directory.cards[0]) is passed_on


def test_the_consumer_of_an_invalid_card_is_not_told(asking: Asking, directory: FakeDirectory) -> None:
    directory.answers["VerifyCard"] = pb.VerifyCardResponse(
        card_id="card-7", consumer_id="consumer-7", card_invalid=True, lost_or_stolen=True, fraud_suspect=True
    )
    assert asking.verify() == CardVerificationAnswer(
        card_id="card-7", card_invalid=True, lost_or_stolen=True, fraud_suspect=True
    )
    directory.answers["VerifyCard"] = pb.VerifyCardResponse(card_invalid=True)
    assert asking.verify() == CardVerificationAnswer(card_invalid=True)


@pytest.mark.parametrize(
    "lie",
    [
        pb.VerifyCardResponse(security_code_valid=True),
        pb.VerifyCardResponse(card_id="card-7"),
        pb.VerifyCardResponse(consumer_id="consumer-7"),
        pb.VerifyCardResponse(card_id="card 7", consumer_id="c"),
        pb.VerifyCardResponse(card_id="c" * 49, consumer_id="c"),
        pb.VerifyCardResponse(card_id="card-7\n", consumer_id="c"),
        pb.VerifyCardResponse(card_id="4111111111111111", consumer_id="c"),
        pb.VerifyCardResponse(card_id="card-7", consumer_id="c" * 65),
        pb.VerifyCardResponse(card_id="card-7", consumer_id="c", account_id="a/b"),
        pb.VerifyCardResponse(card_id="card-7", consumer_id="c", lost_or_stolen=True),
        pb.VerifyCardResponse(card_id="card-7", consumer_id="c", expired=True),
    ],
    ids=str,
)
def test_a_verification_that_cannot_be_is_none(asking: Asking, lie: Message) -> None:
    asking.directory.answers["VerifyCard"] = lie
    with pytest.raises(DirectoryUnavailable):
        asking.verify()
    assert asking.counted("VerifyCard", "unreadable") == 1


def test_credentials_come_as_a_jwe_for_our_key(asking: Asking, directory: FakeDirectory) -> None:
    encrypted = asking.keys.recipient("ours").encrypt(json.dumps(CARD).encode())
    directory.answers["GetCardCredentials"] = pb.GetCardCredentialsResponse(encrypted_card=encrypted)
    assert json.loads(asking.run(asking.directories.card_credentials(BY, "card-7"))) == CARD
    assert directory.asked[0][1].card_id == "card-7"
    for lie in ("", json.dumps(CARD), directory.keys.recipient("issuer.key 1").encrypt(b"{}"), encrypted[:-2]):
        directory.answers["GetCardCredentials"] = pb.GetCardCredentialsResponse(encrypted_card=lie)
        with pytest.raises(DirectoryUnavailable):
            asking.run(asking.directories.card_credentials(BY, "card-7"))


def test_a_consumer(asking: Asking, directory: FakeDirectory) -> None:
    told = asking.run(asking.directories.consumer(BY, "consumer-7", "card-7"))
    assert told == consumers_pb2.PersonalData(language="pt-PT", first_name="Inês")
    [(_, request)] = directory.asked
    assert (request.consumer_id, request.card_id) == ("consumer-7", "card-7")


@pytest.mark.parametrize(
    "lie",
    [
        None,
        consumers_pb2.PersonalData(language="portuguese"),
        consumers_pb2.PersonalData(date_of_birth="1.1.1990"),
        consumers_pb2.PersonalData(email="not an address"),
        consumers_pb2.PersonalData(first_name="x" * 257),
        consumers_pb2.PersonalData(last_name="\0"),
        consumers_pb2.PersonalData(mobile_phone_number="912345678"),
        consumers_pb2.PersonalData(mobile_phone_country_code="+351"),
        consumers_pb2.PersonalData(mobile_phone_number="91 234", mobile_phone_country_code="+351"),
        consumers_pb2.PersonalData(residency_address=consumers_pb2.PostalAddress(country_code="prt")),
        consumers_pb2.PersonalData(last_name="4111 1111 1111 1111"),
        consumers_pb2.PersonalData(residency_address=consumers_pb2.PostalAddress(line2="card 4111111111111111")),
    ],
    ids=str,
)
def test_personal_data_that_cannot_be_is_none(asking: Asking, lie: consumers_pb2.PersonalData | None) -> None:
    asking.directory.answers["GetConsumerInformation"] = pb.GetConsumerInformationResponse(personal_data=lie)
    asking.fails()


def test_json_passes_both_ways(asking: Asking, directory: FakeDirectory) -> None:
    asking.run(asking.directories.deliver_one_time_password(BY, "consumer-7", "card-7", '{"otp":{"value":"1"}}'))
    assert (
        asking.run(asking.directories.authenticate(BY, {"cardId": "card-7"}, '{"a":1}'))
        == b'{"authenticationId":"a-1"}'
    )
    result = asking.run(asking.directories.authentication_result(BY, {"authenticationId": "a-1"}))
    assert result == b'{"result":"PENDING","after":1.50}'
    asking.run(asking.directories.activate_physical_card(BY, "card-7", ""))
    otp, authenticate, asked, activate = (request for _, request in directory.asked)
    assert (otp.consumer_id, otp.card_id, otp.body_json) == ("consumer-7", "card-7", '{"otp":{"value":"1"}}')
    assert (dict(authenticate.path_ids), authenticate.body_json) == ({"cardId": "card-7"}, '{"a":1}')
    assert dict(asked.path_ids) == {"authenticationId": "a-1"}
    assert (activate.card_id, activate.body_json) == ("card-7", "")
    assert {request.context.issuer_id for _, request in directory.asked} == {ISSUER}


@pytest.mark.parametrize(
    "lie",
    [
        "",
        "[]",
        '"text"',
        "{",
        '{"a": NaN}',
        '{"a": 1, "a": 2}',
        '{"a":' * 40 + "1" + "}" * 40,
        json.dumps({"a": "x" * LONGEST_ANSWER}),
        json.dumps({"a": "x" * directory_channel.LONGEST_MESSAGE}),
    ],
    ids=lambda text: text[:20],
)
def test_json_that_is_no_object_is_no_answer(asking: Asking, lie: str) -> None:
    asking.directory.answers["Authenticate"] = pb.AuthenticateResponse(answer_json=lie)
    with pytest.raises(DirectoryUnavailable):
        asking.run(asking.directories.authenticate(BY, {}, "{}"))


def test_a_key_that_is_not_the_pinned_one_gets_no_card(asking: Asking, directory: FakeDirectory) -> None:
    for change in ("thumbprint", "public_key"):
        account = directory.account(ISSUER)
        setattr(account.d1_issuer.directory.public_key, change, "x" * 43)
        asking.state(account)
        with pytest.raises(DirectoryUnavailable):
            asking.verify()
    assert directory.asked == []
