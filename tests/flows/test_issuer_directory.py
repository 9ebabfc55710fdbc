"""An issuer's own system, from D1's call to what is on record: a real core, a real gateway, a real gRPC server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from mintmark.directory.v1 import card_directory_pb2 as pb
from mintmark.v1 import accounts_pb2

from adapters.breaker import FAILURES
from adapters.settings import Settings
from tests.adapters.inbound.fake_directory import FakeDirectory
from tests.adapters.sandbox.running import running
from tests.flows.card_gateway import (
    CODE,
    EXPIRY,
    WITHOUT_CODE,
    CardGateway,
    Issuer,
    answer,
    encrypted,
    number,
    opened_by_d1,
)
from tests.flows.gateway_process import gateway_of
from tests.server.rpc import carding
from tests.server.rpc.running import RunningCore, running_core
from tests.waiting import eventually

OTP_VALUE = "84309172"


class DirectoryGateway(CardGateway):
    """One that serves Deliver OTP."""

    PATH = "/banking/d1/v1/issuers/{issuerId}/consumers/{consumerId}/otp"

    def settings(self) -> dict[str, str]:
        return {**super().settings(), "MINTMARK_ISSUER_OTP_PATH": self.PATH}


class DirectoryIssuer(Issuer):
    """An issuer whose own system answers."""

    def __init__(self, gateway: CardGateway, directory: FakeDirectory, **stated: Any) -> None:
        self.directory = directory
        super().__init__(gateway, directory=self.place(), tell_consumers=True, **stated)

    def place(self, **stated: Any) -> accounts_pb2.CardDirectory:
        return self.directory.account("ISSUER0001", **stated).d1_issuer.directory

    def deliver(self, body: Any) -> httpx.Response:
        path = DirectoryGateway.PATH.replace("{issuerId}", self.issuer_id).replace("{consumerId}", "consumer-7")
        return self.gateway.client.post(path, json=body)

    def consumer(self, query: str = "") -> httpx.Response:
        path = f"/banking/d1/v1/issuers/{self.issuer_id}/consumers/consumer-7{query}"
        return self.gateway.client.get(path)

    def verified(self, **members: str) -> httpx.Response:
        card = {"pan": number(), "exp": EXPIRY, "cvv": CODE} | members
        body = {
            "encryptedData": encrypted(card, self.gateway.public()),
            "cardId": "proposed",
            "cardBin": card["pan"][:6],
        }
        return self.verify(body)

    def results(self) -> list[tuple[str, str]]:
        return carding.results(self.gateway.core.admin, issuer_id=self.issuer_id)


@pytest.fixture(scope="module")
def core() -> Iterator[RunningCore]:
    with running_core() as started:
        yield started


@pytest.fixture(scope="module")
def gateway(core: RunningCore) -> Iterator[CardGateway]:
    with gateway_of(core, DirectoryGateway) as started:
        eventually(lambda: started.metric("mintmark_card_keys_published_timestamp_seconds") > 0, 20, "the publication")
        yield started


@pytest.fixture(scope="module")
def _directory() -> Iterator[FakeDirectory]:
    directory = FakeDirectory().start()
    yield directory
    directory.stop()


@pytest.fixture
def issuer(gateway: CardGateway, _directory: FakeDirectory) -> Iterator[DirectoryIssuer]:
    """Each has a breaker of its own."""
    yield DirectoryIssuer(gateway, _directory)
    _directory.as_before()


def test_it_verifies_cards_that_nobody_registered_here(issuer: DirectoryIssuer) -> None:
    pan = number()
    told = issuer.verified(pan=pan)
    assert (told.status_code, told.json()) == (200, answer("card-7", "consumer-7"))
    assert issuer.directory.cards == [{"pan": pan, "exp": EXPIRY, "cvv": CODE}]
    [(_, request)] = issuer.directory.asked
    assert (request.context.issuer_id, request.proposed_card_id, request.bin) == (issuer.issuer_id, "proposed", pan[:6])
    assert issuer.results() == [("VERIFICATION", "SUCCEEDED")]


@pytest.mark.parametrize(
    ("said", "told", "result"),
    [
        (
            pb.VerifyCardResponse(card_id="card-7", consumer_id="u-1"),
            answer("card-7", valid=False),
            "SECURITY_CODE_WRONG",
        ),
        (
            pb.VerifyCardResponse(card_id="card-7", consumer_id="u-1", verification_attempts_exceeded=True),
            answer("card-7", valid=False, exceeded=True),
            "ATTEMPTS_EXCEEDED",
        ),
        (
            pb.VerifyCardResponse(card_id="card-7", consumer_id="u-1", card_invalid=True, lost_or_stolen=True),
            answer("card-7", None, valid=False, invalid=True, lostOrStolen=True),
            "NO_USABLE_CARD",
        ),
        (
            pb.VerifyCardResponse(card_invalid=True),
            answer("proposed", None, valid=False, invalid=True),
            "NO_USABLE_CARD",
        ),
    ],
    ids=["wrong code", "exceeded", "stolen", "unknown"],
)
def test_d1_is_told_what_it_says(issuer: DirectoryIssuer, said: Any, told: dict[str, Any], result: str) -> None:
    issuer.directory.answers["VerifyCard"] = said
    assert issuer.verified().json() == told
    assert issuer.results() == [("VERIFICATION", result)]


def test_a_code_that_is_not_to_be_checked_is_neither_passed_on_nor_valid(issuer: DirectoryIssuer) -> None:
    issuer.state(card_verification=WITHOUT_CODE)
    seen = eventually(lambda: [issuer.verified()] if "cvv" not in _last(issuer) else [], 10, "the account")
    assert seen[0].json() == answer("card-7", "consumer-7", valid=False)
    assert issuer.results()[0] == ("VERIFICATION", "SECURITY_CODE_NOT_CHECKED")


def _last(issuer: DirectoryIssuer) -> dict[str, str]:
    issuer.verified()
    return issuer.directory.cards[-1]


def test_a_bin_that_is_not_the_numbers_is_answered_here(issuer: DirectoryIssuer) -> None:
    pan = number()
    body = {"encryptedData": encrypted({"pan": pan, "exp": EXPIRY}, issuer.gateway.public()), "cardBin": "999999"}
    told = issuer.verify({**body, "cardId": "proposed"})
    assert told.json() == answer("proposed", None, invalid=True)
    assert issuer.directory.asked == []


def test_it_tells_credentials_that_d1_opens(issuer: DirectoryIssuer) -> None:
    card = {"pan": number(), "exp": EXPIRY, "name": "Ana Qwertzuiop", "cvv": CODE}
    compact = encrypted(card, issuer.gateway.public())
    issuer.directory.answers["GetCardCredentials"] = pb.GetCardCredentialsResponse(encrypted_card=compact)
    told = issuer.credentials("card-7")
    assert opened_by_d1(told.json()["encryptedData"]) == card
    assert issuer.results() == [("CREDENTIALS", "SUCCEEDED")]


@pytest.mark.parametrize("content", [{"pan": "4111111111111112", "exp": EXPIRY}, {"exp": EXPIRY}, b"[]", b"no JSON"])
def test_card_data_that_cannot_be_is_not_passed_on(issuer: DirectoryIssuer, content: Any) -> None:
    compact = encrypted(content, issuer.gateway.public())
    issuer.directory.answers["GetCardCredentials"] = pb.GetCardCredentialsResponse(encrypted_card=compact)
    assert issuer.credentials("card-7").status_code == 503
    assert issuer.results() == [("CREDENTIALS", "UNREADABLE")]


def test_it_tells_of_consumers(issuer: DirectoryIssuer) -> None:
    told = issuer.consumer("?cardId=card-7")
    assert (told.status_code, told.json()) == (200, {"language": "pt-PT", "firstName": "Inês"})
    [(_, request)] = issuer.directory.asked
    assert (request.consumer_id, request.card_id) == ("consumer-7", "card-7")
    issuer.directory.answers["GetConsumerInformation"] = pb.GetConsumerInformationResponse()
    assert issuer.consumer().status_code == 503
    issuer.directory.answers["GetConsumerInformation"] = grpc.StatusCode.PERMISSION_DENIED
    assert (issuer.consumer().status_code, issuer.consumer().content) == (403, b"")
    issuer.directory.answers["GetConsumerInformation"] = grpc.StatusCode.NOT_FOUND
    assert issuer.consumer().status_code == 404


@pytest.mark.parametrize(
    ("code", "status", "result"),
    [
        (grpc.StatusCode.NOT_FOUND, 404, "NO_USABLE_CARD"),
        (grpc.StatusCode.PERMISSION_DENIED, 403, "LEFT_TO_DIRECTORY"),
        (grpc.StatusCode.INTERNAL, 503, "UNSPECIFIED"),
    ],
)
def test_what_it_refuses(issuer: DirectoryIssuer, code: grpc.StatusCode, status: int, result: str) -> None:
    issuer.directory.answers |= {"VerifyCard": code, "GetCardCredentials": code, "DeliverOneTimePassword": code}
    for told in (issuer.verified(), issuer.credentials("card-7"), issuer.deliver({"otp": {}})):
        assert (told.status_code, list(told.json())) == (status, ["error"])
    assert issuer.results() == [("CREDENTIALS", result), ("VERIFICATION", result)]


def test_a_slow_one_is_given_up_and_a_dead_one_left_alone(issuer: DirectoryIssuer, gateway: CardGateway) -> None:
    issuer.state(directory=issuer.place(timeout_milliseconds=100))
    eventually(lambda: issuer.verified().status_code == 200)
    issuer.directory.free.clear()
    assert issuer.verified().status_code == 503
    issuer.directory.free.set()
    lost = issuer.place()
    lost.address = "127.0.0.1:1"
    issuer.state(directory=lost)
    eventually(lambda: issuer.verified().status_code == 503)
    before = gateway.metric("mintmark_directory_calls_total", method="VerifyCard", outcome="not_asked")
    for _ in range(FAILURES):
        assert issuer.verified().status_code == 503
    assert gateway.metric("mintmark_directory_calls_total", method="VerifyCard", outcome="not_asked") > before
    assert gateway.metric("mintmark_directory_breakers_open") >= 1
    issuer.state(directory=issuer.place())
    eventually(lambda: issuer.verified().status_code == 200)


def test_a_liar_is_not_believed(issuer: DirectoryIssuer) -> None:
    for lie in (
        pb.VerifyCardResponse(security_code_valid=True),
        pb.VerifyCardResponse(card_id="card-7", security_code_valid=True),
        pb.VerifyCardResponse(card_id=number(), consumer_id="consumer-7"),
        pb.VerifyCardResponse(card_id="card-7", consumer_id="u-1", expired=True),
    ):
        issuer.directory.answers["VerifyCard"] = lie
        assert issuer.verified().status_code == 503
    # Each try is on record, and what it came to is not known.
    assert issuer.results() == [("VERIFICATION", "UNSPECIFIED")] * 4


def test_the_d1_twin_asks_as_d1_does(issuer: DirectoryIssuer, gateway: CardGateway, tmp_path: Path) -> None:
    """By OAuth, and with what the contract has in the bodies."""
    issuer = DirectoryIssuer(gateway, issuer.directory, oauth=True)
    made = gateway.core.create(["d1-notify"], issuers=[issuer.issuer_id])
    file = tmp_path / "d1.json"
    file.write_text(json.dumps({"client_id": made.client.client_id, "client_secret": made.client_secret}))
    settings = Settings(
        data_dir=tmp_path, sandbox_target=gateway.url, sandbox_client_file=file, issuer_otp_path=DirectoryGateway.PATH
    )
    with running(settings) as control:

        def asked(call: str, **order: str) -> Any:
            return control.post(f"/d1-issuer/{call}", json={"issuerId": issuer.issuer_id, **order}).json()

        eventually(lambda: asked("activate-card", cardId="card-7")["status"] == 204, 20, "the client at the gateway")
        delivered = asked("deliver-otp", consumerId="consumer-7", cardId="card-7", channel="EMAIL")
        assert (delivered["status"], delivered["otp"]) == (204, "******")
        verified = asked("verify-card", sample="visa")
        assert verified["answer"] == answer("card-7", "consumer-7")
    otp = next(request for method, request in issuer.directory.asked if method == "DeliverOneTimePassword")
    assert (otp.consumer_id, otp.card_id) == ("consumer-7", "card-7")
    assert json.loads(otp.body_json)["deliveryChannel"] == "EMAIL"


def test_nothing_of_what_passes_rests_or_is_told_anywhere(issuer: DirectoryIssuer, core: RunningCore) -> None:
    """Database, WAL, logs: no card number, no one-time password. (A security code is too short to look for.)"""
    pan = number()
    card = {"pan": pan, "exp": EXPIRY, "name": "Zebediah Quux", "cvv": CODE}
    compact = encrypted(card, issuer.gateway.public())
    issuer.directory.answers["GetCardCredentials"] = pb.GetCardCredentialsResponse(encrypted_card=compact)
    otp = {"otp": {"value": OTP_VALUE}, "deliveryChannel": "SMS", "note": f"card {pan}"}
    assert issuer.verified(**card).status_code == 200
    assert issuer.credentials("card-7").status_code == 200
    assert issuer.deliver(otp).status_code == 204
    assert issuer.consumer().status_code == 200
    for failing in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.NOT_FOUND):
        issuer.directory.answers |= dict.fromkeys(("VerifyCard", "DeliverOneTimePassword"), failing)
        issuer.verified(**card)
        issuer.deliver(otp)
    passed = json.loads(issuer.directory.asked[2][1].body_json)
    assert passed["otp"] == {"value": OTP_VALUE}
    assert pan not in passed["note"]
    looked = [path for path in core.folder.rglob("*") if path.is_file()]
    assert [path for path in looked if path.name.endswith("gateway.log")]
    assert len(looked) > 3
    for path in looked:
        content = path.read_bytes()
        for secret in (pan, OTP_VALUE, "Zebediah", "Inês", compact):
            assert secret.encode() not in content, path
