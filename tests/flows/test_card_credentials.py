"""Get Card Credentials over HTTP: what D1 is told, for its pinned key, and who may have it."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mintmark.v1 import accounts_pb2, cards_pb2

from tests.flows.card_gateway import CODE, EXPIRY, CardGateway, Issuer, card_gateway, checked, number, opened_by_d1
from tests.flows.gateway_process import gateway_of
from tests.flows.test_tls import Authority
from tests.server.rpc import carding
from tests.server.rpc.running import running_core
from tests.waiting import eventually

NOT_FOUND = {"error": "Resource not found"}


@pytest.fixture(scope="module")
def gateway() -> Iterator[CardGateway]:
    with card_gateway() as running:
        yield running


@pytest.fixture(scope="module")
def issuer(gateway: CardGateway) -> Issuer:
    return Issuer(gateway)


def content(**members: Any) -> dict[str, Any]:
    return {"pan": number(), "exp": EXPIRY, "name": "Ana Qwertzuiop", "cvv": CODE} | members


def test_d1_opens_what_was_registered(issuer: Issuer) -> None:
    whole = content(auxiliaryPan=checked("550000000000000"), auxiliaryExp="0131")
    card = issuer.register("whole", whole)
    compacts = []
    for _ in range(2):
        told = issuer.credentials("whole")
        assert (told.status_code, list(told.json()), told.headers["cache-control"]) == (
            200,
            ["encryptedData"],
            "no-store",
        )
        compacts.append(told.json()["encryptedData"])
        assert opened_by_d1(compacts[-1]) == whole
    # Header, with the ephemeral key, IV and ciphertext are others each time.
    assert all(one != other for one, other in zip(*(each.split("..") for each in compacts), strict=True))
    results = carding.results(issuer.gateway.core.admin, card=card.name)
    assert results[:2] == [("CREDENTIALS", "SUCCEEDED")] * 2


def test_what_is_not_known_is_not_told(gateway: CardGateway) -> None:
    issuer = Issuer(gateway)
    bare = {"pan": number(), "exp": EXPIRY}
    issuer.register("bare", bare)
    assert (issuer.credentials("bare").status_code, issuer.credentials("bare").json()) == (404, NOT_FOUND)
    issuer.state(tell_credentials_without_security_code=True)
    told = eventually(lambda: _told(issuer, "bare"), 10, "the account at the core")
    assert told == bare


def _told(issuer: Issuer, card_id: str) -> dict[str, Any] | None:
    answer = issuer.credentials(card_id)
    return opened_by_d1(answer.json()["encryptedData"]) if answer.status_code == 200 else None


def test_only_cards_in_use_are_told(issuer: Issuer, gateway: CardGateway) -> None:
    card = issuer.register("used", content())
    assert issuer.credentials("used").status_code == 200
    assert issuer.credentials("unused").json() == NOT_FOUND
    assert issuer.credentials("a" * 49).status_code == 400
    assert Issuer(gateway).credentials("used").json() == NOT_FOUND
    carding.suspend(gateway.core.admin, card.name)
    assert issuer.credentials("used").json() == NOT_FOUND
    carding.resume(gateway.core.admin, card.name)
    carding.delete(gateway.core.admin, card.name)
    assert issuer.credentials("used").json() == NOT_FOUND


def test_an_account_that_does_not_allow_it(gateway: CardGateway) -> None:
    for stated in ({"tell_credentials": False}, {"tell_credentials": False, "d1_public_keys": []}):
        issuer = Issuer(gateway, **stated)
        issuer.register("card", content())
        assert issuer.credentials("card").status_code == 403


def test_the_first_key_counts(gateway: CardGateway) -> None:
    issuer = Issuer(gateway)
    card = content()
    issuer.register("card", card)
    assert _told(issuer, "card") == card
    other = accounts_pb2.D1PublicKey(**_public("other"))
    issuer.state(d1_public_keys=[*issuer.stated["d1_public_keys"], other])
    assert _told(issuer, "card") == card


def _public(kid: str) -> dict[str, str]:
    pinned = carding.pinned(kid)
    return {"public_key": pinned.public_key, "thumbprint": pinned.thumbprint, "key_id": pinned.key_id}


def test_nobody_elsewhere_is_told_without_a_certificate(gateway: CardGateway) -> None:
    """T4: whatever OAuth says."""
    issuer = Issuer(gateway, oauth=True)
    issuer.register("card", content())
    made = gateway.core.create(["d1-notify"], issuers=[issuer.issuer_id])
    token = gateway.core.issue(made.client.client_id, made.client_secret).access_token
    bearer = {"authorization": f"Bearer {token}"}
    eventually(lambda: issuer.credentials("card", **bearer).status_code == 200, 10, "the client at the gateway")
    told = issuer.credentials("card", **bearer, **{"x-forwarded-for": "203.0.113.9"})
    assert (told.status_code, told.json()) == (
        403,
        {"error": "Card data is told only to callers with a client certificate"},
    )
    before = carding.accesses(gateway.core.admin, issuer_id=issuer.issuer_id)
    assert issuer.credentials("card", **bearer, forwarded="for=203.0.113.9").status_code == 403
    assert carding.accesses(gateway.core.admin, issuer_id=issuer.issuer_id) == before
    assert issuer.credentials("card").status_code == 401


class SecureGateway(CardGateway):
    """A gateway with TLS that asks for client certificates."""

    authority: Authority

    def settings(self) -> dict[str, str]:
        self.authority = Authority(self.core.folder, "authority")
        own = self.authority.issue("gateway")
        return {
            "MINTMARK_HTTP_TLS_CERTIFICATE": str(own.certificate),
            "MINTMARK_HTTP_TLS_KEY": str(own.key),
            "MINTMARK_HTTP_CLIENT_CA": str(self.authority.file),
        }

    def over_tls(self, common_name: str = "") -> httpx.Client:
        """A client with a certificate of this name, or with none."""
        context = ssl.create_default_context(cafile=self.authority.file)
        if common_name:
            pair = self.authority.issue(common_name)
            context.load_cert_chain(pair.certificate, pair.key)
        url = self.url.replace("http:", "https:")
        return httpx.Client(base_url=url, verify=context, headers={"x-forwarded-for": "203.0.113.9"}, timeout=20)


def test_a_certificate_opens_the_way(tmp_path: Path) -> None:
    with running_core() as core, gateway_of(core, SecureGateway) as gateway:
        plain, gateway.client = gateway.client, gateway.over_tls("d1.example")
        plain.close()
        issuer = Issuer(gateway, oauth=True)
        made = core.create(["d1-notify"], issuers=[issuer.issuer_id])
        bearer = {"authorization": f"Bearer {core.issue(made.client.client_id, made.client_secret).access_token}"}
        card = content()
        issuer.register("card", card)
        told = eventually(lambda: issuer.credentials("card", **bearer).status_code == 200, 10, "the client")
        assert told
        assert opened_by_d1(issuer.credentials("card", **bearer).json()["encryptedData"]) == card
        with gateway.over_tls() as bare:
            path = f"{issuer.prefix}/card/credentials"
            assert bare.get(path, headers=bearer).status_code == 403


def test_a_card_that_waits_is_not_told(issuer: Issuer) -> None:
    card = issuer.register("rejected", content(exp="1339"))
    assert card.state == cards_pb2.CARD_STATE_REJECTED
    assert issuer.credentials("rejected").json() == NOT_FOUND
