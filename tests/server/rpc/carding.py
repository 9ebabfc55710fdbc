"""What issuers' services, gateways and D1 do with cards, without any cryptography: card data is a text that says which
key it is for and what a gateway would find in it."""

import base64
import json
import uuid
from collections.abc import Sequence
from hashlib import sha256
from itertools import count
from typing import Any

from google.protobuf.duration_pb2 import Duration
from jwcrypto.jwk import JWK
from mintmark.v1 import (
    accounts_pb2,
    card_data_accesses_pb2,
    card_fingerprints_pb2,
    card_keys_pb2,
    card_verifications_pb2,
    cards_pb2,
    events_pb2,
)

from tests.server.rpc.running import RunningCore, Session, request_id

EXPIRY = "1239"
HASH_KEY = "h1"
NUMBERS = count(4_000_000_000_000_000)
POINT = "A" * 43
EPK = {"kty": "EC", "crv": "P-256", "x": POINT, "y": POINT}
_KEYS: dict[str, dict[str, str]] = {}
Finding = card_verifications_pb2.CardFieldComparison
Answer = card_verifications_pb2.CardVerificationAnswer


def number() -> str:
    """A card number that no other test has."""
    return str(next(NUMBERS))


def encoded(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwe(kid: str, **header: Any) -> str:
    """Card data for a key, other each time."""
    head = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": kid, "epk": EPK, **header}
    return f"{encoded(head)}..{'i' * 16}.{encoded(uuid.uuid4().bytes)}.{'t' * 22}"


def jwk(kid: str) -> dict[str, str]:
    """The public key of this name, the same each time."""
    if kid not in _KEYS:
        made = json.loads(JWK.generate(kty="EC", crv="P-256").export_public())
        _KEYS[kid] = {**made, "kid": kid}
    return _KEYS[kid]


def publish(core: RunningCore, *kids: str, hash_key_id: str = HASH_KEY) -> None:
    """A gateway says that it has these keys, the current one first."""
    jwks = json.dumps({"keys": [jwk(kid) for kid in kids]})
    request = card_keys_pb2.PublishCardKeysRequest(jwks_json=jwks, hash_key_id=hash_key_id)
    core.gateway.card_key_publications.PublishCardKeys(request)


def hashed(issuer_id: str, pan: str, key: str = HASH_KEY) -> card_fingerprints_pb2.CardNumberHash:
    digest = sha256(f"{key}/{issuer_id}/{pan}".encode()).digest()
    return card_fingerprints_pb2.CardNumberHash(hash_key_id=key, hash=digest)


def fingerprint(issuer_id: str, pan: str, key: str = HASH_KEY, **more: Any) -> card_fingerprints_pb2.CardFingerprint:
    told = {"expiry": EXPIRY, "has_security_code": False, **more}
    return card_fingerprints_pb2.CardFingerprint(
        hash=hashed(issuer_id, pan, key), bin=pan[:8], last_digits=pan[-4:], **told
    )


def account(core: RunningCore, issuer_id: str, **d1_issuer: Any) -> str:
    """The issuer's account, stated anew; its name. Its certificate speaks for the issuer."""
    stated = accounts_pb2.Account(
        account_id=f"d1-{issuer_id.lower()}",
        provider=accounts_pb2.ACCOUNT_PROVIDER_D1_ISSUER,
        issuer_id=issuer_id,
        inbound_authentication=accounts_pb2.INBOUND_AUTHENTICATION_CERTIFICATE,
        d1_issuer=accounts_pb2.D1IssuerAccount(**d1_issuer),
    )
    core.admin.accounts.ApplyAccounts(accounts_pb2.ApplyAccountsRequest(request_id=request_id(), accounts=[stated]))
    return f"partnerAccounts/{stated.account_id}"


def pinned(kid: str) -> accounts_pb2.D1PublicKey:
    """A key of D1's as an account states it."""
    return accounts_pb2.D1PublicKey(
        public_key=json.dumps(jwk(kid)), thumbprint=JWK(**jwk(kid)).thumbprint(), key_id=kid
    )


def register(session: Session, issuer_id: str, card_id: str, kid: str = "k1", **more: Any) -> cards_pb2.Card:
    asked = {"consumer_id": "u-1", "request_id": request_id(), "encrypted_card": jwe(kid), **more}
    request = cards_pb2.RegisterCardRequest(issuer_id=issuer_id, card_id=card_id, **asked)
    return session.cards.RegisterCard(request).card


def claim(
    core: RunningCore, *kids: str, hash_key_id: str = HASH_KEY, most: int = 64, wait: float = 0
) -> list[card_fingerprints_pb2.CardFingerprintTask]:
    waited = Duration()
    waited.FromNanoseconds(round(wait * 1e9))
    request = card_fingerprints_pb2.ClaimCardFingerprintsRequest(
        max_tasks=most, wait=waited, kids=kids or ("k1",), hash_key_id=hash_key_id
    )
    return list(core.gateway.card_fingerprints.ClaimCardFingerprints(request).tasks)


def record(core: RunningCore, card: str, generation: int, **result: Any) -> bool:
    request = card_fingerprints_pb2.RecordCardFingerprintRequest(card=card, generation=generation, **result)
    return bool(core.gateway.card_fingerprints.RecordCardFingerprint(request).recorded)


def read(session: Session, name: str) -> cards_pb2.Card:
    return session.cards.GetCard(cards_pb2.GetCardRequest(name=name)).card


def active(core: RunningCore, issuer_id: str, card_id: str, pan: str = "", **seen: Any) -> cards_pb2.Card:
    """A card in use."""
    card = register(core.admin, issuer_id, card_id)
    assert record(core, card.name, 1, fingerprint=fingerprint(issuer_id, pan or number(), **seen))
    return read(core.admin, card.name)


def suspend(session: Session, name: str, reason: str = "ISSUER_DECISION", text: str = "") -> cards_pb2.Card:
    why = cards_pb2.CardSuspensionReason.Value(f"CARD_SUSPENSION_REASON_{reason}")
    request = cards_pb2.SuspendCardRequest(request_id=request_id(), name=name, reason=why, text=text)
    return session.cards.SuspendCard(request).card


def resume(session: Session, name: str) -> cards_pb2.Card:
    return session.cards.ResumeCard(cards_pb2.ResumeCardRequest(request_id=request_id(), name=name)).card


def delete(session: Session, name: str) -> cards_pb2.Card:
    return session.cards.DeleteCard(cards_pb2.DeleteCardRequest(request_id=request_id(), name=name)).card


def replace(session: Session, name: str, kid: str = "k1") -> cards_pb2.Card:
    request = cards_pb2.ReplaceCardRequest(request_id=request_id(), name=name, encrypted_card=jwe(kid))
    return session.cards.ReplaceCard(request).card


def reset(session: Session, name: str) -> cards_pb2.Card:
    request = cards_pb2.ResetCardVerificationAttemptsRequest(request_id=request_id(), name=name)
    return session.cards.ResetCardVerificationAttempts(request).card


def begin(
    core: RunningCore, sender: str, issuer_id: str, pan: str, *, keys: Sequence[str] = (HASH_KEY,), **more: Any
) -> card_verifications_pb2.BeginCardVerificationResponse:
    asked = {"bin_matches": True, "has_expiry": True, "has_security_code": True, **more}
    request = card_verifications_pb2.BeginCardVerificationRequest(
        sender=sender, issuer_id=issuer_id, hashes=[hashed(issuer_id, pan, key) for key in keys], **asked
    )
    return core.gateway.card_verifications.BeginCardVerification(request)


def finish(
    core: RunningCore, access: str, expiry: str = "EQUAL", security_code: str = "EQUAL"
) -> card_verifications_pb2.CardVerificationAnswer:
    findings = card_verifications_pb2.CardFindings(
        expiry=Finding.Value(f"CARD_FIELD_COMPARISON_{expiry}"),
        security_code=Finding.Value(f"CARD_FIELD_COMPARISON_{security_code}"),
    )
    request = card_verifications_pb2.FinishCardVerificationRequest(card_data_access=access, findings=findings)
    return core.gateway.card_verifications.FinishCardVerification(request).answer


def accesses(session: Session, **wanted: Any) -> list[card_data_accesses_pb2.CardDataAccess]:
    request = card_data_accesses_pb2.ListCardDataAccessesRequest(**wanted)
    return list(session.card_data_accesses.ListCardDataAccesses(request).card_data_accesses)


def results(session: Session, **wanted: Any) -> list[tuple[str, str]]:
    """Purpose and result of the accesses, the newest first."""
    purposes, told = card_data_accesses_pb2.CardDataPurpose, card_data_accesses_pb2.CardDataAccessResult
    return [
        (
            purposes.Name(each.purpose).removeprefix("CARD_DATA_PURPOSE_"),
            told.Name(each.result).removeprefix("CARD_DATA_ACCESS_RESULT_"),
        )
        for each in accesses(session, **wanted)
    ]


def right(**more: Any) -> Answer:
    """The answer of the issuer's card `c-1` when all is right."""
    return Answer(card_id="c-1", consumer_id="u-1", security_code_valid=True, **more)


def attempts(core: RunningCore, place: str) -> int:
    return read(core.admin, f"issuers/{place}/cards/c-1").verification_attempts


def told(core: RunningCore, place: str) -> int:
    """How often it was told that there were too many tries."""
    kind = events_pb2.EVENT_KIND_CARD_VERIFICATION_ATTEMPTS_EXCEEDED
    asked = events_pb2.ListEventsRequest(cursor="0", filter=events_pb2.EventFilter(issuer_id=place, kinds=[kind]))
    return len(core.admin.events.ListEvents(asked).events)


def verify(core: RunningCore, sender: str, place: str, pan: str, code: str = "EQUAL", **more: Any) -> Answer:
    """A whole verification by a gateway that does what it is told."""
    begun = begin(core, sender, place, pan, **more)
    if begun.WhichOneof("next") == "answer":
        return begun.answer
    given = more.get("has_security_code", True)
    found = code if given else "NOT_GIVEN"
    left_out = begun.comparison.leave_out_security_code
    expiry = "EQUAL" if more.get("has_expiry", True) else "NOT_GIVEN"
    return finish(core, begun.card_data_access, expiry, "NOT_COMPARED" if left_out else found)
