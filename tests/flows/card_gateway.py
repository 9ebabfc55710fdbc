"""A gateway with keys of issuers' cards, and what an issuer, its clients and D1 do with it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwe as joserfc
from joserfc.jwk import ECKey
from jwcrypto.jwk import JWK
from mintmark.v1 import accounts_pb2, cards_pb2
from prometheus_client.parser import text_string_to_metric_families

from adapters.cli.supervisor.probe import get
from adapters.jose import key_files
from adapters.jose.hash_keys import new_hash_key
from tests.adapters.jose.composed import ALICE, BOB
from tests.flows.gateway_process import Gateway, gateway_of
from tests.server.rpc import carding
from tests.server.rpc.running import RunningCore, request_id, running_core
from tests.waiting import eventually

ALGORITHMS = ["ECDH-ES", "A256GCM"]
D1_KID = "D1.TEST.ENC 01"
HASH_KEY = new_hash_key("hashes-1")
WITH_CODE = accounts_pb2.CARD_VERIFICATION_MODE_WITH_SECURITY_CODE
WITHOUT_CODE = accounts_pb2.CARD_VERIFICATION_MODE_WITHOUT_SECURITY_CODE
OAUTH, CERTIFICATE = accounts_pb2.INBOUND_AUTHENTICATION_OAUTH, accounts_pb2.INBOUND_AUTHENTICATION_CERTIFICATE
_ISSUERS = count(1)
_NUMBERS = count(400_000_000_000_000)
EXPIRY, CODE = "1239", "4629"


def checked(digits: str) -> str:
    """The digits with their check digit."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 - place % 2)
        total += value - 9 if value > 9 else value
    return digits + str(-total % 10)


def number() -> str:
    """A card number that no other test has."""
    return checked(str(next(_NUMBERS)))


def write_keys(folder: Path, *jwks: dict[str, Any], hash_keys: tuple[dict[str, str], ...] = (HASH_KEY,)) -> None:
    """Puts the gateway's files of keys in place."""
    key_files.write(folder / "card_keys.json", json.dumps({"keys": jwks}))
    key_files.write(folder / "card_number_hash_keys.json", json.dumps({"keys": hash_keys}))


def encrypted(content: Any, public: dict[str, str]) -> str:
    """Card data for a key of the gateway's, by another JOSE library."""
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": public["kid"]}
    plaintext = content if isinstance(content, bytes) else json.dumps(content).encode()
    return joserfc.encrypt_compact(header, plaintext, ECKey.import_key(dict(public)), algorithms=ALGORITHMS)


def opened_by_d1(compact: str) -> dict[str, Any]:
    """What D1 finds in a JWE, by another JOSE library."""
    found = joserfc.decrypt_compact(compact, ECKey.import_key(dict(ALICE)), algorithms=ALGORITHMS)
    assert found.headers() == found.protected
    assert found.protected["kid"] == D1_KID
    assert found.plaintext is not None
    content: dict[str, Any] = json.loads(found.plaintext)
    return content


class CardGateway(Gateway):
    """A gateway process with the keys in `jwks`, Bob's where there are none."""

    def __init__(self, core: RunningCore) -> None:
        if not (core.settings.data_dir / "card_keys.json").exists():
            write_keys(core.settings.data_dir, {**BOB, "kid": "Bob"})
        super().__init__(core)

    def public(self) -> dict[str, str]:
        """The key to encrypt for now."""
        keys: list[dict[str, str]] = self.client.get("/.well-known/card-keys.json").json()["keys"]
        return keys[0]

    def metric(self, name: str, **labels: str) -> float:
        """What the gateway counts."""
        for family in text_string_to_metric_families(get(self.admin, "/metrics", 5)[1]):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return float(sample.value)
        return 0.0


@contextmanager
def card_gateway(of: type[CardGateway] = CardGateway, **settings: Any) -> Iterator[CardGateway]:
    """A core with a gateway in front of it, that has told the core its keys."""
    with running_core(**settings) as core, gateway_of(core, of) as running:
        eventually(lambda: running.metric("mintmark_card_keys_published_timestamp_seconds") > 0, 20, "the publication")
        yield running


class Issuer:
    """An issuer of its own; D1 calls from this machine in the name of the issuer's account."""

    def __init__(self, gateway: CardGateway, *, oauth: bool = False, **stated: Any) -> None:
        self.gateway = gateway
        self.issuer_id = f"ISSUER{os.getpid() % 100:02}{next(_ISSUERS):02}"
        self.prefix = f"/cms/api/v1/issuers/{self.issuer_id}/cards"
        public = {name: ALICE[name] for name in ("kty", "crv", "x", "y")}
        key = accounts_pb2.D1PublicKey(
            public_key=json.dumps(public), thumbprint=JWK(**public).thumbprint(), key_id=D1_KID
        )
        self.stated: dict[str, Any] = {
            "card_verification": WITH_CODE,
            "store_security_codes": True,
            "tell_credentials": True,
            "d1_public_keys": [key],
        }
        self._authentication = OAUTH if oauth else CERTIFICATE
        self.state(**stated)

    def state(self, **stated: Any) -> None:
        """The account as it is to be, once the gateway knows of it."""
        self.stated |= stated
        account = accounts_pb2.Account(
            account_id=f"d1-{self.issuer_id.lower()}",
            provider=accounts_pb2.ACCOUNT_PROVIDER_D1_ISSUER,
            issuer_id=self.issuer_id,
            inbound_authentication=self._authentication,
            d1_issuer=accounts_pb2.D1IssuerAccount(**self.stated),
        )
        self.account = f"partnerAccounts/{account.account_id}"
        request = accounts_pb2.ApplyAccountsRequest(request_id=request_id(), accounts=[account])
        self.gateway.core.admin.accounts.ApplyAccounts(request)
        # A caller on this machine is let in once the gateway knows of the account. With OAuth others wait themselves.
        if self._authentication == CERTIFICATE:
            eventually(lambda: self.verify(b"{}").status_code == 400, 10, "the issuer at the gateway")

    def register(self, card_id: str, content: Any, key: dict[str, str] | None = None) -> cards_pb2.Card:
        """Registers a card and waits until a gateway has looked at it."""
        jwe = encrypted(content, key or self.gateway.public())
        name = carding.register(self.gateway.core.admin, self.issuer_id, card_id, encrypted_card=jwe).name
        return self.looked(name)

    def looked(self, name: str) -> cards_pb2.Card:
        """The card once a gateway has looked at it."""
        card = eventually(lambda: self.looked_at(name), 20, "a look at the card data")
        assert card is not None
        return card

    def read(self, name: str) -> cards_pb2.Card:
        return carding.read(self.gateway.core.admin, name)

    def looked_at(self, name: str) -> cards_pb2.Card | None:
        card = self.read(name)
        waits = card.state == cards_pb2.CARD_STATE_PENDING or card.replacement_pending
        return None if waits else card

    def verify(self, body: Any, **headers: str) -> httpx.Response:
        """Verify Card."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": "application/json", **headers}
        return self.gateway.client.post(f"{self.prefix}/credentials", content=content, headers=sent)

    def ask(self, content: dict[str, Any], card_id: str | None = "proposed", **more: Any) -> Any:
        """Verify Card with this card data; its answer."""
        body = {"encryptedData": encrypted(content, self.gateway.public()), "cardBin": str(content["pan"])[:6], **more}
        answer = self.verify(body if card_id is None else {**body, "cardId": card_id})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def credentials(self, card_id: str, **headers: str) -> httpx.Response:
        """Get Card Credentials."""
        return self.gateway.client.get(f"{self.prefix}/{card_id}/credentials", headers=headers)


def answer(
    card_id: str, consumer_id: str | None = "u-1", *, valid: bool = True, exceeded: bool = False, **card: bool
) -> dict[str, Any]:
    """What D1 is answered; flags of the card are false unless they are said to be true."""
    flags = {"lostOrStolen": False, "expired": False, "invalid": False, "fraudSuspect": False}
    told = {"cardId": card_id} | ({} if consumer_id is None else {"consumerId": consumer_id})
    code = {"valid": valid, "verificationAttemptsExceeded": exceeded}
    return told | {"verificationResults": {"securityCode": code, "card": flags | card}}
