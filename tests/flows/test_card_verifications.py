"""Verify Card over HTTP: a real gateway in front of a real core, from good cards to hostile JWEs."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from mintmark.v1 import cards_pb2

from tests.adapters.jose.composed import HEADER, composed
from tests.adapters.jose.test_encryption import HEADERS, SEALED_TEXTS
from tests.flows.card_gateway import (
    CODE,
    EXPIRY,
    WITHOUT_CODE,
    CardGateway,
    Issuer,
    answer,
    card_gateway,
    checked,
    encrypted,
    number,
)
from tests.server.rpc import carding
from tests.vectors import contract_example
from tests.waiting import eventually

OUTCOMES = ("verified", "security_code_not_valid", "attempts_exceeded", "card_invalid", "refused", "unavailable")
UNREADABLE = {"error": "encryptedData is not a JWE of card data for a key of ours"}


@pytest.fixture(scope="module")
def gateway() -> Iterator[CardGateway]:
    with card_gateway() as running:
        yield running


@pytest.fixture(scope="module")
def issuer(gateway: CardGateway) -> Issuer:
    return Issuer(gateway)


class Held:
    """A card in use."""

    def __init__(self, issuer: Issuer, **members: Any) -> None:
        self.issuer = issuer
        self.card_id = f"card-{uuid.uuid4().hex[:12]}"
        self.pan = number()
        self.content = {"pan": self.pan, "exp": EXPIRY, "cvv": CODE, "name": "Ana Qwertzuiop"} | members
        self.content = {name: value for name, value in self.content.items() if value is not None}
        self.card = issuer.register(self.card_id, self.content)
        assert self.card.state == cards_pb2.CARD_STATE_ACTIVE, self.card

    def asked(self, **members: Any) -> Any:
        told = {"pan": self.pan, "exp": EXPIRY, "cvv": CODE} | members
        return self.issuer.ask({name: value for name, value in told.items() if value is not None})


@pytest.fixture
def held(issuer: Issuer) -> Held:
    return Held(issuer)


def test_a_card_is_looked_at_and_verified(held: Held) -> None:
    card = held.card
    seen = (card.bin, card.last_digits, card.expiry, card.has_security_code, card.card_key_id)
    assert seen == (held.pan[:8], held.pan[-4:], EXPIRY, True, "Bob")
    assert held.asked() == answer(held.card_id)
    assert held.asked(cvv=None) == answer(held.card_id)
    assert held.asked(exp=None) == answer(held.card_id)
    assert held.asked(exp=None, cvv=None, loyalty=1) == answer(held.card_id)
    results = carding.results(held.issuer.gateway.core.admin, card=card.name)
    assert results == [("VERIFICATION", "SUCCEEDED")] * 4 + [("FINGERPRINT", "SUCCEEDED")]


def test_the_answer_has_the_shape_of_the_contracts_example(held: Held) -> None:
    example = json.loads(contract_example("d1-issuer-verify-card.response.json").read_text())
    told = held.asked()
    assert {**told, "cardId": example["cardId"], "consumerId": example["consumerId"]} == example
    assert [list(told), list(told["verificationResults"])] == [list(example), list(example["verificationResults"])]


def test_answers_are_counted_and_kept_nowhere(gateway: CardGateway, held: Held) -> None:
    def counted() -> dict[str, float]:
        name = "mintmark_card_verifications_total"
        return {each: gateway.metric(name, outcome=each) for each in OUTCOMES}

    before = counted()
    held.asked()
    for _ in range(4):
        held.asked(cvv="0000")
    held.asked(exp="0130")
    body = {"encryptedData": encrypted({"pan": held.pan}, gateway.public()), "cardBin": held.pan[:6]}
    assert held.issuer.verify(body).headers["cache-control"] == "no-store"
    refused = held.issuer.verify({"encryptedData": "x", "cardBin": "400000"})
    assert (refused.status_code, refused.headers["cache-control"]) == (400, "no-store")
    after = counted()
    assert {each: after[each] - before[each] for each in OUTCOMES} == {
        "verified": 2,
        "security_code_not_valid": 3,
        "attempts_exceeded": 1,
        "card_invalid": 1,
        "refused": 1,
        "unavailable": 0,
    }
    assert gateway.metric("mintmark_card_looks_total", outcome="recorded") > 0
    assert gateway.metric("mintmark_card_core_seconds_count", kind="begin") > 0


def test_a_wrong_code_is_an_answer_and_counts(held: Held) -> None:
    wrong = "0000"
    for tried in (1, 2, 3):
        assert held.asked(cvv=wrong) == answer(held.card_id, valid=False)
        assert held.issuer.read(held.card.name).verification_attempts == tried
    # From now on not even the right one is compared.
    for code in (CODE, wrong):
        assert held.asked(cvv=code) == answer(held.card_id, valid=False, exceeded=True)
    assert held.asked(cvv=None)["verificationResults"]["securityCode"]["valid"] is True
    carding.reset(held.issuer.gateway.core.admin, held.card.name)
    assert held.asked() == answer(held.card_id)


def test_a_right_code_sets_the_count_back(held: Held) -> None:
    for _ in range(3):
        assert held.asked(cvv="0000") == answer(held.card_id, valid=False)
        assert held.asked(cvv="999") == answer(held.card_id, valid=False)
        assert held.asked() == answer(held.card_id)


def test_a_card_that_is_not_good(held: Held) -> None:
    assert held.asked(exp="1139") == answer(held.card_id, None, valid=False, invalid=True)
    assert held.asked(exp="0000", cvv=None) == answer(held.card_id, None, invalid=True)
    told = held.issuer.ask({"pan": held.pan, "exp": EXPIRY, "cvv": CODE}, cardBin="999999")
    assert told == answer(held.card_id, None, valid=False, invalid=True)
    core = held.issuer.gateway.core
    for reason, flags in (
        ("LOST", {"lostOrStolen": True}),
        ("STOLEN", {"lostOrStolen": True}),
        ("FRAUD_SUSPECTED", {"fraudSuspect": True}),
        ("ISSUER_DECISION", {}),
    ):
        carding.suspend(core.admin, held.card.name, reason)
        assert held.asked() == answer(held.card_id, None, valid=False, invalid=True, **flags)
    carding.resume(core.admin, held.card.name)
    assert held.asked() == answer(held.card_id)
    carding.delete(core.admin, held.card.name)
    assert held.asked() == answer("proposed", None, valid=False, invalid=True)


def test_a_card_that_has_expired(issuer: Issuer) -> None:
    old = Held(issuer, exp="0120")
    assert old.asked(exp="0120") == answer(old.card_id, None, valid=False, invalid=True, expired=True)
    assert old.asked(exp=None, cvv=None) == answer(old.card_id, None, invalid=True, expired=True)


@pytest.mark.parametrize("pan", [number(), "1234567891234567", "4", "0" * 19, checked("41111111111111111")])
def test_a_card_that_nobody_knows(issuer: Issuer, pan: str) -> None:
    content = {"pan": pan, "exp": EXPIRY}
    for proposed in ("proposed", "L7f9000000000000f6"):
        told = issuer.ask(content, proposed, cardBin=f"{pan}00000"[:6])
        assert told == answer(proposed, None, invalid=True)
    made = []
    for blank in (None, "", "  "):
        told = issuer.ask({**content, "cvv": CODE}, blank, cardBin=f"{pan}00000"[:6])
        made.append(told["cardId"])
        assert told == answer(str(uuid.UUID(told["cardId"])), None, valid=False, invalid=True)
    assert len(set(made)) == 3


def test_another_issuers_card_is_unknown(gateway: CardGateway, held: Held) -> None:
    other = Issuer(gateway)
    assert other.ask({"pan": held.pan, "exp": EXPIRY}) == answer("proposed", None, invalid=True)
    same = other.register("same", held.content)
    assert same.state == cards_pb2.CARD_STATE_ACTIVE
    assert other.ask({"pan": held.pan, "exp": EXPIRY}) == answer("same")


def test_what_d1_sends_is_read_mildly(held: Held) -> None:
    content = {"pan": held.pan, "exp": EXPIRY, "name": "anybody", "future": {"x": [1, None]}}
    for bin_length in (6, 7, 8):
        told = held.issuer.ask(content, "", cardBin=held.pan[:bin_length], deviceScore=7, more={"a": 1})
        assert told == answer(held.card_id)
    assert held.issuer.ask(content, None, cardBin=int(held.pan[:6])) == answer(held.card_id)


@pytest.mark.parametrize("given", ["c" * 129, "c" * 256, "c" * 1000, "\u00e9" * 200, "4111 1111 1111 1111"])
def test_a_correlation_id_is_no_reason_to_refuse(held: Held, given: str) -> None:
    body = {"encryptedData": encrypted(held.content, held.issuer.gateway.public()), "cardBin": held.pan[:6]}
    sent = {b"content-type": b"application/json", b"x-correlation-id": given.encode()}
    url = f"{held.issuer.prefix}/credentials"
    assert held.issuer.gateway.client.post(url, content=json.dumps(body), headers=sent).status_code == 200
    told = held.issuer.gateway.client.get(f"{held.issuer.prefix}/{held.card_id}/credentials", headers=sent)
    assert told.status_code == 200


def test_the_account_id_is_told(issuer: Issuer) -> None:
    pan = number()
    jwe = encrypted({"pan": pan, "exp": EXPIRY}, issuer.gateway.public())
    card = carding.register(issuer.gateway.core.admin, issuer.issuer_id, "owned", account_id="a-1", encrypted_card=jwe)
    eventually(lambda: issuer.looked_at(card.name), 20, "a look at the card data")
    assert issuer.ask({"pan": pan}) == answer("owned") | {"accountId": "a-1"}


def test_a_code_that_nobody_checks_is_never_valid(gateway: CardGateway) -> None:
    issuer = Issuer(gateway, card_verification=WITHOUT_CODE, store_security_codes=False)
    bare = Held(issuer, cvv=None)
    for _ in range(5):
        assert bare.asked() == answer(bare.card_id, valid=False)
    assert bare.asked(cvv=None) == answer(bare.card_id)
    with_code = issuer.register("with-code", {"pan": number(), "exp": EXPIRY, "cvv": CODE})
    assert with_code.rejection == cards_pb2.CARD_REJECTION_SECURITY_CODE_NOT_ALLOWED


def test_a_code_that_is_not_stored_is_never_valid(issuer: Issuer) -> None:
    bare = Held(issuer, cvv=None)
    assert bare.asked() == answer(bare.card_id, valid=False)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"encryptedData": None}, UNREADABLE["error"]),
        ({"encryptedData": 1}, UNREADABLE["error"]),
        ({"cardBin": None}, "cardBin is not in the documented format"),
        ({"cardBin": "41111"}, "cardBin is not in the documented format"),
        ({"cardBin": "411111111"}, "cardBin is not in the documented format"),
        ({"cardBin": "41111a"}, "cardBin is not in the documented format"),
        ({"cardBin": ["411111"]}, "cardBin is not in the documented format"),
        ({"cardId": "a b"}, "cardId is not in the documented format"),
        ({"cardId": "a" * 49}, "cardId is not in the documented format"),
        ({"cardId": {"x": 1}}, "cardId is not in the documented format"),
        ({"cardId": "4111111111111111"}, "cardId is not in the documented format"),
    ],
)
def test_a_bad_field_is_400(issuer: Issuer, more: dict[str, Any], error: str) -> None:
    good = {"encryptedData": encrypted({"pan": number()}, issuer.gateway.public()), "cardBin": "400000", "cardId": "c"}
    told = issuer.verify(good | more)
    assert (told.status_code, told.json()) == (400, {"error": error})


def test_a_body_that_is_none_is_400(issuer: Issuer) -> None:
    jwe = encrypted({"pan": number()}, issuer.gateway.public())
    good = json.dumps({"encryptedData": jwe, "cardBin": "411111"}).encode()
    assert issuer.verify(good).status_code == 200
    bodies = [b"", b"[]", b"null", b"{", b"\xff", b"[" * 60_000, good[:-1] + b',"cardBin":"411111"}', b'{"a":NaN}']
    for body in bodies:
        told = issuer.verify(body)
        assert (told.status_code, list(told.json())) == (400, ["error"]), body[:20]
    assert issuer.verify(b"x" * 70_000).status_code == 413
    assert issuer.verify(good, **{"content-type": "text/plain"}).status_code == 415


def test_every_hostile_jwe_gets_one_and_the_same_400(issuer: Issuer) -> None:
    """Nothing of it is asked of the core, and so nothing counts."""
    core = issuer.gateway.core
    before = carding.accesses(core.admin, issuer_id=issuer.issuer_id)
    hostile = [*SEALED_TEXTS, *map(composed, HEADERS), composed(HEADER, b"plain"), composed(HEADER, b'{"pan":1}')]
    answers = set()
    for text in hostile:
        told = issuer.verify({"encryptedData": text, "cardBin": "411111"})
        answers.add((told.status_code, told.text))
    assert answers == {(400, json.dumps(UNREADABLE, separators=(",", ":")))}
    assert len(hostile) > 100
    assert carding.accesses(core.admin, issuer_id=issuer.issuer_id) == before


def test_what_an_account_does_not_allow_is_403(gateway: CardGateway) -> None:
    off = Issuer(gateway, card_verification=0)
    body = {"encryptedData": encrypted({"pan": number()}, gateway.public()), "cardBin": "411111"}
    assert off.verify(body).status_code == 403
    off.state(card_verification=WITHOUT_CODE)
    assert off.verify(body).status_code == 200


def test_who_may_ask(gateway: CardGateway, issuer: Issuer) -> None:
    body = {"encryptedData": encrypted({"pan": number()}, gateway.public()), "cardBin": "411111"}
    proxied = issuer.verify(body, **{"x-forwarded-for": "203.0.113.9"})
    assert (proxied.status_code, proxied.content) == (401, b"")
    assert gateway.client.get(f"{issuer.prefix}/credentials").status_code == 405
    other = Issuer(gateway, oauth=True)
    made = gateway.core.create(["d1-notify"], issuers=[other.issuer_id])
    ours = gateway.core.issue(made.client.client_id, made.client_secret).access_token
    nobody = gateway.core.create(["d1-notify"], issuers=["ISSUERnone"])
    theirs = gateway.core.issue(nobody.client.client_id, nobody.client_secret).access_token
    reads = gateway.core.create(["cards.read"], issuers=[other.issuer_id])
    reader = gateway.core.issue(reads.client.client_id, reads.client_secret).access_token

    def status(token: str, of: Issuer = other) -> int:
        return of.verify(body, authorization=f"Bearer: {token}").status_code

    eventually(lambda: status(ours) == 200, 10, "the client at the gateway")
    eventually(lambda: status(theirs) == 403, 10, "the other client at the gateway")
    eventually(lambda: status(reader) == 403, 10, "the reader at the gateway")
    foreign = Issuer(gateway, oauth=True)
    eventually(lambda: status(ours, foreign) == 403, 10, "the other issuer at the gateway")
    assert status("nonsense") == 401
    other.prefix = other.prefix.replace(other.issuer_id, "ISSUERnine")
    assert status(ours) == 404
    other.prefix = other.prefix.replace("ISSUERnine", "ISSUER_")
    assert status(ours) == 400
