"""Get Consumer Information over HTTP: what D1 is told of a cardholder, and that nothing of it is kept on the way."""

import base64
import os
from collections.abc import Iterator
from itertools import count
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import json_format
from mintmark.directory.v1 import card_directory_pb2
from mintmark.v1 import accounts_pb2, consumers_pb2

from tests.adapters.inbound.fake_directory import FakeDirectory
from tests.flows.gateway_process import Gateway, gateway_of
from tests.flows.relay import Relay
from tests.server.rpc import carding
from tests.server.rpc.running import RunningCore, request_id, running_core
from tests.server.rpc.test_consumers import CANARIES, PERSON, move, person, register
from tests.stack import UNLIMITED
from tests.waiting import eventually

_NUMBERS = count(1)
CERTIFICATE = accounts_pb2.INBOUND_AUTHENTICATION_CERTIFICATE
READ = "ReadConsumer"
NOT_FOUND = {"error": "Resource not found"}
TOLD = {
    "language": "pt-PT",
    "title": "Dr.ª",
    "firstName": "Inês",
    "middleName": "李",
    "lastName": "Zzquorvath-Ó Súilleabháin",
    "email": "canary@zzquorvath.example",
    "dateOfBirth": "1990-02-28",
    "mobilePhoneNumber": {"countryCode": "+351", "phoneNumber": "912345678"},
    "residencyAddress": {
        "line1": "Rua Zzquorvath 7",
        "line2": "2.º",
        "city": "Lisboa",
        "state": "Lisboa",
        "zipCode": "1000-001",
        "countryCode": "PT",
    },
}


class ConsumerGateway(Gateway):
    """A gateway that reaches the core by a relay, writes its traces down, and has one-time passwords sent to where
    consumers are asked about."""

    relay: Relay

    def __init__(self, core: RunningCore) -> None:
        self.relay = Relay(core.settings.internal_listener, core.folder)
        super().__init__(core)

    def settings(self) -> dict[str, str]:
        return {
            "MINTMARK_INTERNAL_ADDRESS": self.relay.address,
            "MINTMARK_ISSUER_OTP_PATH": "/banking/d1/v1/issuers/{issuerId}/consumers/{consumerId}",
            "MINTMARK_LOG_LEVEL": "debug",
            "MINTMARK_TRACES": "file",
            **UNLIMITED,
        }


class Thales:
    """D1's side of one issuer, on this machine: the issuer's account is the caller."""

    def __init__(self, gateway: ConsumerGateway, **stated: Any) -> None:
        self.gateway = gateway
        self.issuer_id = f"ISSUER{os.getpid() % 100:02}{next(_NUMBERS):02}"
        self.state(**{"tell_consumers": True, **stated})

    def state(
        self, authentication: "accounts_pb2.InboundAuthentication.ValueType" = CERTIFICATE, **stated: Any
    ) -> None:
        """The issuer's account as it is to be, once the gateway knows of it."""
        account = accounts_pb2.Account(
            account_id=f"d1-{self.issuer_id.lower()}",
            provider=accounts_pb2.ACCOUNT_PROVIDER_D1_ISSUER,
            issuer_id=self.issuer_id,
            inbound_authentication=authentication,
            d1_issuer=accounts_pb2.D1IssuerAccount(**stated) if stated else None,
        )
        request = accounts_pb2.ApplyAccountsRequest(request_id=request_id(), accounts=[account])
        self.gateway.core.admin.accounts.ApplyAccounts(request)
        if authentication == CERTIFICATE:
            eventually(lambda: self.get("nobody").status_code != 401, 10, "the issuer at the gateway")

    def get(self, consumer: str = "c-1", query: str = "", **headers: str) -> httpx.Response:
        url = f"/banking/d1/v1/issuers/{self.issuer_id}/consumers/{consumer}{query}"
        return self.gateway.client.get(url, headers=headers)

    def register(self, consumer: str = "c-1", personal: consumers_pb2.PersonalData | None = None) -> str:
        return str(register(self.gateway.core.admin, self.issuer_id, consumer, personal).name)


@pytest.fixture(scope="module")
def gateway() -> Iterator[ConsumerGateway]:
    with running_core() as core, gateway_of(core, ConsumerGateway) as running:
        carding.publish(core, "k1")
        yield running
        running.relay.close()


@pytest.fixture
def thales(gateway: ConsumerGateway) -> Iterator[Thales]:
    yield Thales(gateway)
    gateway.relay.dropped.clear()


@pytest.fixture(scope="module")
def directory() -> Iterator[FakeDirectory]:
    running = FakeDirectory().start()
    yield running
    running.stop()


def told(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json() if answer.content else None


def test_d1_is_told_everything_that_is_known(thales: Thales) -> None:
    thales.register()
    answer = thales.get(**{"x-correlation-id": "corr_1"})
    assert told(answer) == (200, TOLD)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("known", "shown"),
    [
        ({}, {}),
        ({"language": "en-GB"}, {"language": "en-GB"}),
        ({"residency_address": {"city": "Porto"}}, {"residencyAddress": {"city": "Porto"}}),
        (
            {"mobile_phone_country_code": "+507", "mobile_phone_number": "61234567"},
            {"mobilePhoneNumber": {"countryCode": "+507", "phoneNumber": "61234567"}},
        ),
    ],
)
def test_what_is_not_known_is_left_out(thales: Thales, known: dict[str, Any], shown: dict[str, Any]) -> None:
    register_as = json_format.ParseDict(known, consumers_pb2.PersonalData())
    thales.register(personal=register_as if known else consumers_pb2.PersonalData(title="Ms"))
    assert told(thales.get()) == (200, shown or {"title": "Ms"})


def test_the_card_that_it_is_because_of_must_be_the_consumers(thales: Thales) -> None:
    thales.register("u-1")
    core = thales.gateway.core
    carding.active(core, thales.issuer_id, "card-1")
    assert told(thales.get("u-1", "?cardId=card-1")) == (200, TOLD)
    assert told(thales.get("u-1", "?cardId=&unknown=parameter")) == (200, TOLD)
    assert told(thales.get("u-1", "?cardId=card-2")) == (404, NOT_FOUND)
    thales.register("u-2")
    assert told(thales.get("u-2", "?cardId=card-1")) == (404, NOT_FOUND)


@pytest.mark.parametrize("query", ["?cardId=a%20b", "?cardId=%FF", "?cardId=a&cardId=a", f"?cardId={'x' * 49}"])
def test_a_card_id_of_another_form_is_refused(thales: Thales, query: str) -> None:
    thales.register()
    assert told(thales.get(query=query)) == (400, {"error": "cardId is not in the documented format"})


def test_a_path_of_another_form_is_refused(thales: Thales) -> None:
    for consumer in ("a%20b", "x" * 65, "a%00b", "%C3%BC"):
        assert told(thales.get(consumer)) == (400, {"error": "The path is not in the documented format"})


def test_who_is_not_there_is_not_found(thales: Thales) -> None:
    name = thales.register()
    assert told(thales.get("nobody")) == (404, NOT_FOUND)
    assert told(thales.get("4111111111111111")) == (404, NOT_FOUND)
    move(thales.gateway.core.admin, "Suspend", name)
    assert told(thales.get()) == (404, NOT_FOUND)
    move(thales.gateway.core.admin, "Resume", name)
    assert told(thales.get()) == (200, TOLD)
    move(thales.gateway.core.admin, "Delete", name)
    assert told(thales.get()) == (404, NOT_FOUND)


def test_a_card_number_in_place_of_an_id_does_not_reach_the_core(thales: Thales) -> None:
    seen = thales.gateway.relay.seen
    before = seen.count(READ)
    assert thales.get("4111111111111111").status_code == 404
    assert thales.get("c-1", "?cardId=4111111111111111").status_code == 400
    assert seen.count(READ) == before


def test_an_account_that_allows_nothing_is_told_so_without_a_body(thales: Thales) -> None:
    thales.register()
    nothing: list[dict[str, Any]] = [{"tell_consumers": False, "security_code_attempts": 5}, {}]
    for stated in nothing:
        thales.state(**stated)
        answer = thales.get()
        assert (answer.status_code, answer.content) == (403, b"")
    thales.state(tell_consumers=True)
    assert told(thales.get()) == (200, TOLD)


def test_callers_are_known_by_their_access_token(thales: Thales) -> None:
    thales.register()
    gateway = thales.gateway
    thales.state(accounts_pb2.INBOUND_AUTHENTICATION_OAUTH, tell_consumers=True)

    def headers(issuer_id: str, *scopes: str) -> dict[str, str]:
        made = gateway.core.create(scopes, issuers=[issuer_id])
        pair = base64.b64encode(f"{made.client.client_id}:{made.client_secret}".encode()).decode()

        def token() -> Any:
            asked = {"grant_type": "client_credentials"}
            return gateway.client.post(
                "/authz/d1/v1/oauth2/token", headers={"authorization": f"Basic {pair}"}, data=asked
            )

        answer = eventually(lambda: (got := token()).status_code == 200 and got, 20, "an access token")
        assert answer
        return {"authorization": f"Bearer: {answer.json()['access_token']}"}

    def answered(**sent: str) -> tuple[int, bytes]:
        answer = thales.get(**sent)
        return answer.status_code, b"" if answer.status_code == 200 else answer.content

    own = headers(thales.issuer_id, "d1-notify")
    eventually(lambda: thales.get(**own).status_code == 200, 20, "the client at the gateway")
    assert told(thales.get(**own)) == (200, TOLD)
    assert answered() == (401, b"")
    assert answered(authorization="Bearer nonsense") == (401, b"")
    foreign = headers("OTHER00001", "d1-notify")
    eventually(lambda: answered(**foreign) == (403, b""), 20, "the other client at the gateway")
    reader = headers(thales.issuer_id, "consumers.read")
    eventually(lambda: answered(**reader) == (403, b""), 20, "the reader at the gateway")


def test_while_the_core_is_away_d1_is_told_to_come_again(thales: Thales) -> None:
    thales.register()
    thales.gateway.relay.dropped.add(READ)
    answer = thales.get()
    assert (answer.status_code, list(answer.json()), answer.headers["retry-after"]) == (503, ["error"], "1")
    thales.gateway.relay.dropped.clear()
    assert told(thales.get()) == (200, TOLD)


def test_the_issuers_own_system_answers_where_there_is_one(thales: Thales, directory: FakeDirectory) -> None:
    directory.as_before()
    thales.register()
    thales.state(tell_consumers=True, directory=directory.account(thales.issuer_id).d1_issuer.directory)
    eventually(lambda: thales.get().status_code == 200, 10, "the issuer's system at the gateway")
    directory.asked.clear()
    assert told(thales.get(query="?cardId=card-9")) == (200, {"language": "pt-PT", "firstName": "Inês"})
    (_, asked), *_ = directory.asked
    assert (asked.context.issuer_id, asked.consumer_id, asked.card_id) == (thales.issuer_id, "c-1", "card-9")
    for code, status in (
        (grpc.StatusCode.NOT_FOUND, 404),
        (grpc.StatusCode.PERMISSION_DENIED, 403),
        (grpc.StatusCode.INTERNAL, 503),
    ):
        directory.answers["GetConsumerInformation"] = code
        answer = thales.get()
        assert answer.status_code == status
        assert bool(answer.content) == (status != 403)
    odd = consumers_pb2.PersonalData(language="Portuguese")
    directory.answers["GetConsumerInformation"] = card_directory_pb2.GetConsumerInformationResponse(personal_data=odd)
    assert thales.get().status_code == 503


def test_one_time_passwords_may_have_the_path_of_their_consumer(thales: Thales) -> None:
    """The contract says that it is the same resource."""
    thales.register()
    url = f"/banking/d1/v1/issuers/{thales.issuer_id}/consumers/c-1"
    sent = thales.gateway.client.post(url, json={"otp": {"value": "1234"}})
    assert told(sent) == (404, NOT_FOUND), "an issuer without a system of its own has nobody to deliver them"
    assert told(thales.get()) == (200, TOLD)
    wrong = thales.gateway.client.put(url, json={})
    assert (wrong.status_code, set(wrong.headers["allow"].split(", "))) == (405, {"GET", "POST"})


def test_nothing_of_the_person_is_written_down_on_the_way(thales: Thales) -> None:
    thales.register("Canary-Id", person())
    assert told(thales.get("Canary-Id", "?cardId=Canary-Card")) == (404, NOT_FOUND)
    assert told(thales.get("Canary-Id", **{"x-correlation-id": "canary_correlation"})) == (200, TOLD)
    folder = thales.gateway.core.folder

    def written() -> bytes:
        return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())

    eventually(lambda: b"canary_correlation" in written(), 10, "the log line of the call")
    kept = written()
    assert b"consumers/{consumerId}" in kept
    assert not [canary for canary in CANARIES if canary in kept]
    assert str(PERSON["first_name"]).encode() not in kept


@pytest.mark.parametrize("escaped", ["\\u0000", "\\ud800", "\\udc00\\ud800"])
def test_what_is_no_text_is_refused_by_rest(thales: Thales, escaped: str) -> None:
    core = thales.gateway.core
    headers = {
        "authorization": f"Bearer {core.admin.access_token}",
        "content-type": "application/json",
        "idempotency-key": request_id(),
    }
    body = f'{{"issuerId": "{thales.issuer_id}", "consumerId": "c-1", "personalData": {{"firstName": "{escaped}"}}}}'
    answer = thales.gateway.client.post("/v1/consumers", content=body.encode(), headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (400, "BODY_UNREADABLE")
    made = thales.gateway.client.post("/v1/consumers", content=body.replace(escaped, "李").encode(), headers=headers)
    assert made.json()["consumer"]["personalData"]["firstName"] == "李"
    shown = thales.gateway.client.get(f"/v1/{made.json()['consumer']['name']}", headers=headers)
    assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
