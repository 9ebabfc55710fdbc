"""The way to an issuer's own system: what it is told, what it may answer, and what happens when it does not."""

import asyncio
import json
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import grpc
import pytest
from google.protobuf.message import Message
from mintmark.directory.v1 import card_directory_pb2 as pb
from mintmark.v1 import accounts_pb2, consumers_pb2, principals_pb2
from mintmark.v1.card_verifications_pb2 import CardVerificationAnswer
from prometheus_client import CollectorRegistry

from adapters.breaker import FAILURES, REST_S
from adapters.clock import Clock
from adapters.inbound import directory_channel
from adapters.inbound.directory import AskedBy, CardDirectories
from adapters.inbound.directory_answers import LONGEST_ANSWER
from adapters.inbound.directory_failures import (
    DirectoryFailure,
    DirectoryForbids,
    DirectoryNotFound,
    DirectoryUnavailable,
)
from adapters.inbound.directory_metrics import DirectoryMetrics
from adapters.inbound.directory_tls import DirectoryTls
from adapters.inbound.principals import Principals
from adapters.jose.keys import PrivateKeys, new_key
from tests.adapters.inbound.fake_directory import FakeDirectory

ISSUER = "ISSUER0001"
BY = AskedBy(ISSUER, "c-1")
CARD = {"pan": "4111111111111111", "exp": "1230", "name": "INÊS", "cvv": "123"}
T = TypeVar("T")


class Gateway:
    """The gateway's side, on a loop of its own and with a clock that tests move."""

    def __init__(self, directory: FakeDirectory) -> None:
        self.directory = directory
        self.now = 1000.0
        self.keys = PrivateKeys(json.dumps({"keys": [new_key("ours")]}))
        self.registry = CollectorRegistry()
        self.principals = Principals(Clock(monotonic=lambda: self.now))
        self.state(directory.account(ISSUER))
        self._runner = asyncio.Runner()
        self.asking = CardDirectories(
            self.principals,
            self.keys.opener().open,
            DirectoryTls(),
            DirectoryMetrics(self.registry),
            monotonic=lambda: self.now,
        )

    def state(self, *accounts: accounts_pb2.Account) -> None:
        """The core says which accounts there are."""
        self.principals.apply(
            principals_pb2.WatchPrincipalsResponse(snapshot=True, snapshot_complete=True, accounts=accounts)
        )

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(call)

    def verify(self, card: dict[str, str] | None = None) -> CardVerificationAnswer:
        return self.run(self.asking.verify_card(BY, "proposed", "411111", CARD if card is None else card))

    def fails(self, kind: type[DirectoryFailure] = DirectoryUnavailable, issuer_id: str = ISSUER) -> DirectoryFailure:
        with pytest.raises(DirectoryFailure) as failed:
            self.run(self.asking.consumer(AskedBy(issuer_id, "c-1"), "consumer-7", ""))
        assert type(failed.value) is kind
        return failed.value

    def counted(self, method: str, outcome: str) -> float:
        labels = {"method": method, "outcome": outcome}
        return self.registry.get_sample_value("mintmark_directory_calls_total", labels) or 0

    def resting(self) -> float | None:
        return self.registry.get_sample_value("mintmark_directory_breakers_open")

    def close(self) -> None:
        self.run(self.asking.close())
        self._runner.close()


@pytest.fixture(scope="module")
def _directory() -> Iterator[FakeDirectory]:
    directory = FakeDirectory().start()
    yield directory
    directory.stop()


@pytest.fixture
def directory(_directory: FakeDirectory) -> Iterator[FakeDirectory]:
    yield _directory
    _directory.as_before()


@pytest.fixture
def gateway(directory: FakeDirectory) -> Iterator[Gateway]:
    gateway = Gateway(directory)
    yield gateway
    gateway.close()


def test_a_card_is_verified_by_a_jwe_for_the_issuers_key_alone(gateway: Gateway, directory: FakeDirectory) -> None:
    answer = gateway.verify({**CARD, "track": "not ours to tell"})
    assert answer == CardVerificationAnswer(card_id="card-7", consumer_id="consumer-7", security_code_valid=True)
    [(_, request)] = directory.asked
    assert (request.context.issuer_id, request.context.correlation_id) == (ISSUER, "c-1")
    assert (request.proposed_card_id, request.bin) == ("proposed", "411111")
    assert directory.cards == [CARD]
    assert CARD["pan"].encode() not in request.SerializeToString()
    assert gateway.counted("VerifyCard", "answered") == 1


def test_each_jwe_has_a_key_of_its_own(gateway: Gateway, directory: FakeDirectory) -> None:
    gateway.verify()
    gateway.verify()
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
    gateway: Gateway, mode: str, given: str, said: bool, exceeded: bool, passed_on: bool, valid: bool
) -> None:
    account = gateway.directory.account(ISSUER)
    account.d1_issuer.card_verification = accounts_pb2.CardVerificationMode.Value(f"CARD_VERIFICATION_MODE_{mode}")
    gateway.state(account)
    gateway.directory.answers["VerifyCard"] = pb.VerifyCardResponse(
        card_id="card-7", consumer_id="c", security_code_valid=said, verification_attempts_exceeded=exceeded
    )
    answer = gateway.verify({**CARD, "cvv": given})
    assert answer.security_code_valid is valid
    assert answer.verification_attempts_exceeded is exceeded
    assert ("cvv" in gateway.directory.cards[0]) is passed_on


def test_the_consumer_of_an_invalid_card_is_not_told(gateway: Gateway, directory: FakeDirectory) -> None:
    directory.answers["VerifyCard"] = pb.VerifyCardResponse(
        card_id="card-7", consumer_id="consumer-7", card_invalid=True, lost_or_stolen=True, fraud_suspect=True
    )
    assert gateway.verify() == CardVerificationAnswer(
        card_id="card-7", card_invalid=True, lost_or_stolen=True, fraud_suspect=True
    )
    directory.answers["VerifyCard"] = pb.VerifyCardResponse(card_invalid=True)
    assert gateway.verify() == CardVerificationAnswer(card_invalid=True)


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
def test_a_verification_that_cannot_be_is_none(gateway: Gateway, lie: Message) -> None:
    gateway.directory.answers["VerifyCard"] = lie
    with pytest.raises(DirectoryUnavailable):
        gateway.verify()
    assert gateway.counted("VerifyCard", "unreadable") == 1


def test_credentials_come_as_a_jwe_for_our_key(gateway: Gateway, directory: FakeDirectory) -> None:
    encrypted = gateway.keys.recipient("ours").encrypt(json.dumps(CARD).encode())
    directory.answers["GetCardCredentials"] = pb.GetCardCredentialsResponse(encrypted_card=encrypted)
    assert json.loads(gateway.run(gateway.asking.card_credentials(BY, "card-7"))) == CARD
    assert directory.asked[0][1].card_id == "card-7"
    for lie in ("", json.dumps(CARD), directory.keys.recipient("issuer.key 1").encrypt(b"{}"), encrypted[:-2]):
        directory.answers["GetCardCredentials"] = pb.GetCardCredentialsResponse(encrypted_card=lie)
        with pytest.raises(DirectoryUnavailable):
            gateway.run(gateway.asking.card_credentials(BY, "card-7"))


def test_a_consumer(gateway: Gateway, directory: FakeDirectory) -> None:
    told = gateway.run(gateway.asking.consumer(BY, "consumer-7", "card-7"))
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
    ],
    ids=str,
)
def test_personal_data_that_cannot_be_is_none(gateway: Gateway, lie: consumers_pb2.PersonalData | None) -> None:
    gateway.directory.answers["GetConsumerInformation"] = pb.GetConsumerInformationResponse(personal_data=lie)
    gateway.fails()


def test_json_passes_both_ways(gateway: Gateway, directory: FakeDirectory) -> None:
    gateway.run(gateway.asking.deliver_one_time_password(BY, "consumer-7", "card-7", '{"otp":{"value":"1"}}'))
    assert (
        gateway.run(gateway.asking.authenticate(BY, {"cardId": "card-7"}, '{"a":1}')) == b'{"authenticationId":"a-1"}'
    )
    result = gateway.run(gateway.asking.authentication_result(BY, {"authenticationId": "a-1"}))
    assert result == b'{"result":"PENDING","after":1.50}'
    gateway.run(gateway.asking.activate_physical_card(BY, "card-7", ""))
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
def test_json_that_is_no_object_is_no_answer(gateway: Gateway, lie: str) -> None:
    gateway.directory.answers["Authenticate"] = pb.AuthenticateResponse(answer_json=lie)
    with pytest.raises(DirectoryUnavailable):
        gateway.run(gateway.asking.authenticate(BY, {}, "{}"))


@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        (grpc.StatusCode.NOT_FOUND, DirectoryNotFound, 404),
        (grpc.StatusCode.PERMISSION_DENIED, DirectoryForbids, 403),
        (grpc.StatusCode.INVALID_ARGUMENT, DirectoryUnavailable, 503),
        (grpc.StatusCode.UNAUTHENTICATED, DirectoryUnavailable, 503),
        (grpc.StatusCode.UNIMPLEMENTED, DirectoryUnavailable, 503),
        (grpc.StatusCode.UNKNOWN, DirectoryUnavailable, 503),
        (grpc.StatusCode.UNAVAILABLE, DirectoryUnavailable, 503),
    ],
)
def test_what_a_failure_is_told_as(
    gateway: Gateway, code: grpc.StatusCode, kind: type[DirectoryFailure], status: int
) -> None:
    gateway.directory.answers["GetConsumerInformation"] = code
    answer = gateway.fails(kind).answer
    assert (answer.status, list(json.loads(answer.body))) == (status, ["error"])
    assert b"4111" not in answer.body
    assert len(gateway.directory.asked) == 1, "no call is made twice"


def test_the_deadline_is_the_accounts(gateway: Gateway, directory: FakeDirectory) -> None:
    gateway.state(directory.account(ISSUER, timeout_milliseconds=50))
    directory.free.clear()
    gateway.fails()
    assert gateway.counted("GetConsumerInformation", "deadline_exceeded") == 1


def test_the_breaker_opens_probes_and_closes(gateway: Gateway, directory: FakeDirectory) -> None:
    directory.answers["GetConsumerInformation"] = grpc.StatusCode.UNAVAILABLE
    for _ in range(FAILURES):
        gateway.fails()
    assert gateway.resting() == 1
    gateway.fails()
    assert len(directory.asked) == FAILURES, "it is left alone"
    assert gateway.counted("GetConsumerInformation", "not_asked") == 1
    gateway.now += REST_S
    gateway.fails()
    gateway.fails()
    assert len(directory.asked) == FAILURES + 1, "one probe"
    directory.as_before()
    gateway.now += REST_S
    gateway.verify()
    gateway.verify()
    assert gateway.resting() == 0


def test_answers_that_say_no_and_lies_open_no_breaker(gateway: Gateway, directory: FakeDirectory) -> None:
    for answer in (
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
        pb.GetConsumerInformationResponse(),
    ):
        directory.answers["GetConsumerInformation"] = answer
        for _ in range(FAILURES + 1):
            with pytest.raises(DirectoryFailure):
                gateway.run(gateway.asking.consumer(BY, "c", ""))
    assert len(directory.asked) == 4 * (FAILURES + 1)


def test_one_issuers_trouble_is_not_anothers(gateway: Gateway, directory: FakeDirectory) -> None:
    dead = directory.account("ISSUER0002")
    dead.d1_issuer.directory.address = "127.0.0.1:1"
    gateway.state(directory.account(ISSUER), dead)
    for _ in range(FAILURES + 1):
        gateway.fails(issuer_id="ISSUER0002")
    assert gateway.resting() == 1
    assert gateway.verify().card_id == "card-7"


def test_a_slow_system_takes_no_more_than_its_share(
    gateway: Gateway, directory: FakeDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_channel, "MOST_IN_FLIGHT", 2)
    directory.free.clear()

    async def three() -> list[bool]:
        calls = [asyncio.ensure_future(gateway.asking.consumer(BY, "c", "")) for _ in range(3)]
        done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        assert done == {calls[2]}
        directory.free.set()
        return [isinstance(each, Exception) for each in await asyncio.gather(*calls, return_exceptions=True)]

    assert gateway.run(three()) == [False, False, True]
    assert gateway.verify().card_id == "card-7", "there is room again"


def test_a_call_that_is_given_up_leaves_room_for_a_probe(gateway: Gateway, directory: FakeDirectory) -> None:
    directory.answers["GetConsumerInformation"] = grpc.StatusCode.UNAVAILABLE
    for _ in range(FAILURES):
        gateway.fails()
    gateway.now += REST_S
    directory.as_before()
    directory.free.clear()

    async def given_up() -> None:
        call = asyncio.ensure_future(gateway.asking.consumer(BY, "c", ""))
        while not directory.asked:
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    gateway.run(given_up())
    directory.free.set()
    assert gateway.verify().card_id == "card-7"


def test_a_changed_account_counts_at_once_and_calls_under_way_end_where_they_began(
    gateway: Gateway, directory: FakeDirectory
) -> None:
    other = FakeDirectory().start()
    directory.free.clear()

    async def moved() -> tuple[str, str]:
        first = asyncio.ensure_future(gateway.asking.verify_card(BY, "", "411111", CARD))
        while not directory.asked:
            await asyncio.sleep(0)
        other.answers["VerifyCard"] = pb.VerifyCardResponse(card_id="there", consumer_id="c")
        gateway.state(other.account(ISSUER))
        second = await gateway.asking.verify_card(BY, "", "411111", CARD)
        directory.free.set()
        return (await first).card_id, second.card_id

    try:
        assert gateway.run(moved()) == ("card-7", "there")
        assert other.cards == [CARD], "for the other one's key"
    finally:
        gateway.run(gateway.asking.close())
        other.stop()


def test_without_a_directory_nobody_is_asked(gateway: Gateway, directory: FakeDirectory) -> None:
    gateway.verify()
    account = directory.account(ISSUER)
    account.d1_issuer.ClearField("directory")
    gateway.state(account)
    gateway.fails()
    gateway.state()
    gateway.fails()
    gateway.fails(issuer_id="ISSUER0009")
    assert len(directory.asked) == 1


def test_a_key_that_is_not_the_pinned_one_gets_no_card(gateway: Gateway, directory: FakeDirectory) -> None:
    for change in ("thumbprint", "public_key"):
        account = directory.account(ISSUER)
        setattr(account.d1_issuer.directory.public_key, change, "x" * 43)
        gateway.state(account)
        with pytest.raises(DirectoryUnavailable):
            gateway.verify()
    assert directory.asked == []


def test_a_system_that_comes_back_is_found_again(gateway: Gateway) -> None:
    directory = FakeDirectory().start()
    gateway.state(directory.account(ISSUER))
    assert gateway.verify().card_id == "card-7"
    directory.stop()
    for _ in range(FAILURES):
        gateway.fails()
    assert gateway.resting() == 1
    directory.start()
    gateway.now += REST_S
    assert gateway.verify().card_id == "card-7"
    gateway.run(gateway.asking.close())
    directory.stop()
