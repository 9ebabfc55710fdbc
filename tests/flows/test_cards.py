"""Cards from the issuer's own service to D1 and back: registered by a client that encrypts, verified and fetched by
D1's twin, and nothing of them readable where anything was written."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import jwskate
import pytest
import redis
from joserfc import jwe as joserfc
from joserfc.jwk import ECKey
from mintmark.v1 import cards_pb2 as pb
from mintmark.v1 import consumers_pb2, consumers_pb2_grpc
from mintmark.v1.events_pb2 import EventFilter, EventKind

from adapters.cli.supervisor.credentials import ISSUER
from mintmark_client import CardData, Client
from tests.postgres import Postgres
from tests.stack import Stack
from tests.valkey import Valkey
from tests.waiting import eventually

ALGORITHMS = ["ECDH-ES", "A256GCM"]
EXPIRY, RIGHT, WRONG = "1249", "4629", "8153"
_NUMBERS = count(400_000_900_000_000)
SCOPES = ["cards.read", "cards.write", "card_data_accesses.read", "consumers.write", "events.read"]


def number() -> str:
    """A card number that no other test has."""
    digits = str(next(_NUMBERS))
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(digits))]
    return f"{digits}{-sum(value - 9 * (value > 9) for value in doubled) % 10}"


@dataclass
class House:
    """A running Mintmark with the twins and a cache, the issuer's own service, and the card numbers that were used."""

    stack: Stack
    valkey: Valkey
    postgres: Postgres
    service: Client
    numbers: list[str] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    def number(self) -> str:
        self.numbers.append(number())
        return self.numbers[-1]

    def register(
        self, expiry: str = EXPIRY, code: str = RIGHT, consumer: str = "consumer-1", **more: Any
    ) -> tuple[pb.Card, str]:
        """A card that a gateway has looked at, and its number."""
        pan = self.number()
        card = CardData(pan, expiry, security_code=code, **more)
        made = self.service.cards.register(ISSUER, f"card-{next(self._ids)}", consumer, card)
        return self.looked(made.name), pan

    def looked(self, name: str) -> pb.Card:
        def look() -> pb.Card | None:
            card = self.service.cards.get(name)
            return None if card.state == pb.CARD_STATE_PENDING or card.replacement_pending else card

        card = eventually(look, 20, "the gateway's look")
        assert card is not None
        return card

    def twin(self, call: str, **order: Any) -> Any:
        url = f"{self.stack.sandbox_url}/d1-issuer/{call}"
        answer = httpx.post(url, json={"issuerId": ISSUER, **order}, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def verified(self, pan: str, expiry: str = EXPIRY, code: str | None = RIGHT, **more: Any) -> Any:
        """What D1 is answered."""
        card = {"pan": pan, "exp": expiry} | ({} if code is None else {"cvv": code})
        told = self.twin("verify-card", card=card, **more)
        assert told["status"] == 200, told
        return told["answer"]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.campaign)])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    valkey, postgres = Valkey(), Postgres()
    valkey.start()
    # Whatever a role would ever log is to be searched.
    settings = {"MINTMARK_REDIS_URL": valkey.url, "MINTMARK_LOG_LEVEL": "debug"}
    stack = Stack(sandbox=True, development=True, **settings)
    try:
        if request.param == "postgresql":
            postgres.start()
            postgres.execute("CREATE DATABASE cards")
            stack.with_settings({"MINTMARK_DATABASE_URL": postgres.url("cards")})
            stack.data.mkdir(parents=True)
            stack.command("keyring", "create", str(stack.data / "keyring.json"))
            stack.command("migrate")
            stack.command("card-keys", "add")
            stack.command("card-number-hash-keys", "add")
        stack.start(90)
        (made,) = stack.lines("clients", "create", "card-service", *_options("--scope", SCOPES), "--issuer", ISSUER)
        with Client(stack.grpc_address, client_id=made["client_id"], client_secret=made["client_secret"]) as service:
            yield House(stack, valkey, postgres, service)
    finally:
        stack.remove()
        valkey.remove()
        postgres.remove()


def _options(name: str, values: list[str]) -> list[str]:
    return [word for value in values for word in (name, value)]


def flags(answer: Any) -> set[str]:
    """What is true in the answer."""
    return {name for part in answer["verificationResults"].values() for name, value in part.items() if value}


def test_d1_verifies_a_card_that_a_service_has_registered(house: House) -> None:
    card, pan = house.register(name="Zoë Ωmega")
    assert (card.state, card.last_digits, card.bin) == (pb.CARD_STATE_ACTIVE, pan[-4:], pan[:8])
    answer = house.verified(pan, cardId="proposed")
    assert (answer["cardId"], answer["consumerId"], flags(answer)) == (card.card_id, "consumer-1", {"valid"})
    assert flags(house.verified(pan, code=None)) == {"valid"}
    assert flags(house.verified(pan, code=WRONG)) == set()
    wrong_expiry = house.verified(pan, expiry="0149")
    assert (flags(wrong_expiry), wrong_expiry["cardId"], "consumerId" in wrong_expiry) == (
        {"invalid"},
        card.card_id,
        False,
    )
    assert flags(house.verified(pan, cardBin="510510")) == {"invalid"}
    unknown = house.verified(house.number(), cardId="proposed")
    assert (unknown["cardId"], flags(unknown), "consumerId" in unknown) == ("proposed", {"invalid"}, False)
    assert "valid" not in flags(unknown)


def test_the_fourth_try_is_not_compared_until_the_issuer_says_so(house: House) -> None:
    card, pan = house.register()
    for _ in range(3):
        assert flags(house.verified(pan, code=WRONG)) == set()
    for code in (RIGHT, WRONG, RIGHT):
        assert flags(house.verified(pan, code=code)) == {"verificationAttemptsExceeded"}
    events = house.service.events.list(
        "0", EventFilter(resource=card.name, kinds=[EventKind.EVENT_KIND_CARD_VERIFICATION_ATTEMPTS_EXCEEDED])
    )
    assert len(list(events)) == 1
    assert house.service.cards.reset_verification_attempts(card.name).verification_attempts == 0
    assert flags(house.verified(pan)) == {"valid"}


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (pb.CARD_SUSPENSION_REASON_LOST, {"invalid", "lostOrStolen"}),
        (pb.CARD_SUSPENSION_REASON_STOLEN, {"invalid", "lostOrStolen"}),
        (pb.CARD_SUSPENSION_REASON_FRAUD_SUSPECTED, {"invalid", "fraudSuspect"}),
        (pb.CARD_SUSPENSION_REASON_ISSUER_DECISION, {"invalid"}),
    ],
)
def test_a_suspended_card_is_invalid_to_d1_and_good_again_when_it_is_resumed(
    house: House, reason: Any, told: set[str]
) -> None:
    card, pan = house.register()
    house.service.cards.suspend(card.name, reason)
    answer = house.verified(pan)
    assert (flags(answer), answer["cardId"], "consumerId" in answer) == (told, card.card_id, False)
    assert house.twin("get-credentials", cardId=card.card_id)["status"] == 404
    house.service.cards.resume(card.name)
    assert flags(house.verified(pan)) == {"valid"}


def test_the_card_of_a_suspended_consumer_is_invalid(house: House) -> None:
    consumers = house.service.stub(consumers_pb2_grpc.ConsumersServiceStub)
    name = f"issuers/{ISSUER}/consumers/suspended"
    consumers.RegisterConsumer(consumers_pb2.RegisterConsumerRequest(issuer_id=ISSUER, consumer_id="suspended"))
    card, pan = house.register(consumer="suspended")
    assert house.verified(pan)["consumerId"] == "suspended"
    consumers.SuspendConsumer(consumers_pb2.SuspendConsumerRequest(name=name))
    answer = house.verified(pan)
    assert (flags(answer), answer["cardId"], "consumerId" in answer) == ({"invalid"}, card.card_id, False)
    consumers.ResumeConsumer(consumers_pb2.ResumeConsumerRequest(name=name))
    assert flags(house.verified(pan)) == {"valid"}


def test_an_expired_card_a_replaced_card_and_a_deleted_card(house: House) -> None:
    _, expired = house.register(expiry="0120")
    assert flags(house.verified(expired, expiry="0120")) == {"invalid", "expired"}
    card, before = house.register()
    after = house.number()
    house.service.cards.replace(card.name, CardData(after, "0150", security_code=RIGHT))
    house.looked(card.name)
    assert flags(house.verified(before)) == {"invalid"}
    assert house.verified(after, expiry="0150")["cardId"] == card.card_id
    house.service.cards.delete(card.name)
    assert flags(house.verified(after, expiry="0150")) == {"invalid"}
    assert house.twin("get-credentials", cardId=card.card_id)["status"] == 404
    # Its number is free again.
    again = house.service.cards.register(ISSUER, card.card_id, "consumer-1", CardData(after, "0150"))
    assert house.looked(again.name).state == pb.CARD_STATE_ACTIVE


def test_a_number_that_is_wrong_or_taken_is_rejected(house: House) -> None:
    _, taken = house.register()
    wrong = taken[:-1] + str((int(taken[-1]) + 1) % 10)
    house.numbers.append(wrong)
    rejections = []
    for pan in (taken, wrong):
        made = house.service.cards.register(ISSUER, f"rejected-{pan[-6:]}", "consumer-1", CardData(pan, EXPIRY))
        rejections.append(house.looked(made.name).rejection)
    assert rejections == [pb.CARD_REJECTION_CARD_NUMBER_TAKEN, pb.CARD_REJECTION_CARD_NUMBER_INVALID]


def test_d1_alone_can_open_the_credentials_each_time_with_another_ephemeral_key(house: House) -> None:
    auxiliary = house.number()
    card, pan = house.register(name="李", auxiliary_number=auxiliary, auxiliary_expiry="0149")
    expected = {
        **{"pan": pan, "exp": EXPIRY, "name": "李", "cvv": RIGHT},
        **{"auxiliaryPan": auxiliary, "auxiliaryExp": "0149"},
    }
    assert house.twin("get-credentials", cardId=card.card_id, reveal=True)["card"] == expected
    assert house.twin("get-credentials", cardId="nobody")["status"] == 404
    private = json.loads((house.stack.data / "sandbox" / "d1_key.json").read_text())
    key = ECKey.import_key(private)
    headers, points = {"authorization": f"Bearer {_access_token(house)}"}, set()
    for _ in range(3):
        answer = house.stack.http.get(f"/cms/api/v1/issuers/{ISSUER}/cards/{card.card_id}/credentials", headers=headers)
        compact = answer.json()["encryptedData"]
        by_joserfc = joserfc.decrypt_compact(compact, key, algorithms=ALGORITHMS)
        by_jwskate = jwskate.JweCompact(compact).decrypt(jwskate.Jwk(private), alg="ECDH-ES")
        assert json.loads(by_joserfc.plaintext or b"") == json.loads(bytes(by_jwskate)) == expected
        points.add(by_joserfc.headers()["epk"]["x"])
    assert len(points) == 3


def _access_token(house: House) -> str:
    written = json.loads((house.stack.data / "credentials" / "sandbox.d1.json").read_text())
    answer = house.stack.http.post(
        "/authz/d1/v1/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(written["client_id"], written["client_secret"]),
    )
    token: str = answer.json()["access_token"]
    return token


def test_who_may_not_speak_for_the_issuer_learns_nothing(house: House) -> None:
    """The twin's client is bound to this issuer alone."""
    assert house.twin("verify-card", issuerId="ISSUER0009", sample="visa")["status"] in (403, 404)
    path = f"/cms/api/v1/issuers/{ISSUER}/cards/card-1/credentials"
    answer = house.stack.http.get(path)
    assert (answer.status_code, answer.content) == (401, b"")


def test_each_opening_is_written_down(house: House) -> None:
    card, pan = house.register()
    house.verified(pan, code=WRONG)
    house.twin("get-credentials", cardId=card.card_id, correlationId="the-third")
    accesses = list(house.service.card_data_accesses.list(card=card.name))
    assert [each.sender for each in accesses] == ["clients/d1-sandbox", "clients/d1-sandbox", "clients/role.gateway"]
    assert accesses[0].correlation_id == "the-third"


def test_nothing_that_was_written_shows_a_number_or_a_code(house: House) -> None:
    """The last test here: databases and their logs, what the roles logged, the twins' ledger, keys, and Redis."""
    for name, more in (("a", {}), ("b", {"name": "N", "auxiliary_number": house.number(), "auxiliary_expiry": "0149"})):
        card, pan = house.register(**more)
        for code in (RIGHT, WRONG, None):
            house.verified(pan, code=code, correlationId=f"search-{name}-{code is None}")
        house.twin("get-credentials", cardId=card.card_id, reveal=True)
    # In a name of another partner's call and in a body that nobody can read.
    house.stack.http.post(f"/cms/api/v1/issuers/{ISSUER}/cards/credentials", content=f'{{"pan": "{pan}"'.encode())
    with redis.Redis.from_url(house.valkey.url) as client:
        kept = {f"redis {key!r}": key + _held(client, key) for key in client.scan_iter()}
    files = {str(path): _content(path) for path in _files(house)}
    house.stack.stop()
    files |= {f"{path} at the end": _content(path) for path in _files(house)}
    # What may be known of a card is there: the search looks in the right places.
    assert any(card.name.encode() in content and pan[:8].encode() in content for content in files.values())
    assert kept
    assert any("sqlite-wal" in name or "pg_wal" in name for name in files)
    assert b"BeginCardVerification" in files[str(house.stack.log)]
    wanted = [form for each in house.numbers for form in forms(each)]
    # Amid other digits and letters they are no code: times, ids and ciphertexts are full of them.
    codes = re.compile(rb"(?<![0-9A-Za-z._-])(?:%b|%b)(?![0-9A-Za-z._-])" % (RIGHT.encode(), WRONG.encode()))
    hashed = [form(code.encode()) for code in (RIGHT, WRONG) for form in (_sha, _sha_hex)]
    for name, content in (files | kept).items():
        assert not [form for form in [*wanted, *hashed] if form in content], name
        assert not [content[max(0, at.start() - 80) : at.end() + 80] for at in codes.finditer(content)], name
        assert b'"cvv"' not in content, name


def test_the_search_finds_what_it_looks_for() -> None:
    pan = number()
    card = json.dumps({"name": "Zoë", "pan": pan}).encode()
    for written in (card, card.hex().encode(), *(base64.b64encode(b"x" * shift + card) for shift in range(3))):
        assert [form for form in forms(pan) if form in written]


def _held(client: Any, key: bytes) -> bytes:
    return bytes(client.get(key) or b"") if client.type(key) == b"string" else repr(client.dump(key)).encode()


def _files(house: House) -> list[Path]:
    places = (house.stack.folder, house.postgres.folder)
    return [path for place in places for path in place.rglob("*") if path.is_file() and not path.is_socket()]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        # A database has put it away since it was listed.
        return b""


def _sha(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def _sha_hex(value: bytes) -> bytes:
    return hashlib.sha256(value).hexdigest().encode()


def forms(digits: str) -> list[bytes]:
    """How a card number may be written: as it is, in groups, hexadecimal, Base64 at each place, or as a plain hash."""
    text = digits.encode()
    grouped = [separator.join(digits[at : at + 4] for at in range(0, len(digits), 4)).encode() for separator in " -"]
    # What of it does not depend on its neighbours.
    shifted = [base64.b64encode(b"\0" * shift + text)[4 * (shift > 0) : -4] for shift in range(3)]
    return [text, *grouped, text.hex().encode(), *shifted, _sha(text), _sha_hex(text)]
