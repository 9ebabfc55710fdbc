"""Cards, card keys and accesses, over REST and over gRPC alike."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf import json_format
from google.protobuf.message import Message
from mintmark.v1 import card_data_accesses_pb2, card_keys_pb2
from mintmark.v1 import cards_pb2 as pb

from mintmark_client import CardData
from tests.server.rpc.running import request_id as key
from tests.stack import Stack
from tests.waiting import eventually

Case = tuple[str, Message, str]
ISSUER = "CARDS_WALK"
ACTIVE = f"issuers/{ISSUER}/cards/active"
NOBODY = f"issuers/{ISSUER}/cards/nobody"
NUMBERS = ("4012888888881881", "5105105105105100", "4222222222222220", "4000056655665556")


@dataclass(frozen=True)
class Cards:
    """JWEs of the numbers, each for the gateway's key."""

    encrypted: tuple[str, ...] = ("",) * len(NUMBERS)


def open_cards(stack: Stack) -> Cards:
    """One active card, and JWEs to register others with."""
    account = {"accountId": "walked-cards", "provider": "D1_ISSUER", "issuerId": ISSUER}
    applied = stack.http.post(
        "/v1/partnerAccounts:apply", json={"accounts": [account]}, headers={"Idempotency-Key": key()}
    )
    assert applied.is_success, applied.text
    found = eventually(lambda: stack.http.get("/v1/cardKeys").json().get("cardKeys"), 30, "the gateway's keys")
    current = json_format.ParseDict(found[0], card_keys_pb2.CardKey())
    encrypted = tuple(CardData(number, "1249").encrypted(current) for number in NUMBERS)
    body = {"issuerId": ISSUER, "cardId": "active", "consumerId": "u-1", "encryptedCard": encrypted[0]}
    made = stack.http.post("/v1/cards", json=body, headers={"Idempotency-Key": key()})
    assert made.is_success, made.text
    state = lambda: stack.http.get(f"/v1/{ACTIVE}").json()["card"]["state"] == "CARD_STATE_ACTIVE"  # noqa: E731
    eventually(state, 30, "the look of the gateway")
    return Cards(encrypted)


def reads() -> Iterator[Case]:
    get, listed, accesses = pb.GetCardRequest, pb.ListCardsRequest, card_data_accesses_pb2.ListCardDataAccessesRequest
    yield "CardsService.GetCard", get(name=ACTIVE), ""
    yield "CardsService.GetCard", get(name=NOBODY), "RESOURCE_NOT_FOUND"
    wanted = listed(issuer_id=ISSUER, consumer_id="u-1", states=[pb.CARD_STATE_ACTIVE], last_digits="1881")
    yield "CardsService.ListCards", wanted, ""
    yield "CardsService.ListCards", listed(last_digits="18"), "FIELD_INVALID"
    yield "CardsService.ListCards", listed(page_token="AAAA"), "PAGE_TOKEN_INVALID"
    yield "CardKeysService.GetCardKeys", card_keys_pb2.GetCardKeysRequest(), ""
    service = "CardDataAccessesService.ListCardDataAccesses"
    purposes = [card_data_accesses_pb2.CARD_DATA_PURPOSE_FINGERPRINT]
    yield service, accesses(issuer_id=ISSUER, card=ACTIVE, purposes=purposes, page_size=2), ""
    yield service, accesses(page_size=1001), "FIELD_INVALID"


def writes(cards: Cards) -> Iterator[Case]:
    service, card_id = "CardsService", f"new-{uuid.uuid4()}"
    name = f"issuers/{ISSUER}/cards/{card_id}"
    wanted = {"issuer_id": ISSUER, "consumer_id": "u-2", "account_id": "a-1"}
    register = pb.RegisterCardRequest
    new = register(request_id=key(), card_id=card_id, encrypted_card=cards.encrypted[1], **wanted)
    yield f"{service}.RegisterCard", new, ""
    taken = register(request_id=key(), card_id=card_id, encrypted_card=cards.encrypted[2], **wanted)
    yield f"{service}.RegisterCard", taken, "RESOURCE_EXISTS"
    foreign = register(request_id=key(), card_id="c-2", encrypted_card="a.b.c.d.e", **wanted)
    yield f"{service}.RegisterCard", foreign, "CARD_KEY_UNKNOWN"
    replace = pb.ReplaceCardRequest(request_id=key(), name=ACTIVE, encrypted_card=cards.encrypted[3])
    yield f"{service}.ReplaceCard", replace, ""
    lost = pb.SuspendCardRequest(request_id=key(), name=ACTIVE, reason=pb.CARD_SUSPENSION_REASON_LOST, text="told")
    yield f"{service}.SuspendCard", lost, ""
    yield f"{service}.SuspendCard", pb.SuspendCardRequest(request_id=key(), name=ACTIVE), "FIELD_INVALID"
    yield f"{service}.ResumeCard", pb.ResumeCardRequest(request_id=key(), name=ACTIVE), ""
    reset = pb.ResetCardVerificationAttemptsRequest
    yield f"{service}.ResetCardVerificationAttempts", reset(request_id=key(), name=ACTIVE), ""
    yield f"{service}.ResetCardVerificationAttempts", reset(request_id=key(), name=NOBODY), "RESOURCE_NOT_FOUND"
    yield f"{service}.DeleteCard", pb.DeleteCardRequest(request_id=key(), name=name), ""
    yield f"{service}.ResumeCard", pb.ResumeCardRequest(request_id=key(), name=name), "CARD_STATE_UNFIT"
