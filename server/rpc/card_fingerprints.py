"""CardFingerprintsService."""

import time
from collections.abc import Sequence

from mintmark.v1 import card_fingerprints_pb2 as pb

from server.domain import encrypted_cards
from server.domain.cards import CardRejection, Fingerprint, NumberHash
from server.ports import Feed
from server.rpc.calls import Call
from server.rpc.tasks import ANSWER_S, LOOK_S, duration
from server.services import card_fingerprints, card_keys
from server.services.card_fingerprints import FINGERPRINTS, Claimed
from server.services.card_house import CardHouse

REFUSALS = {
    pb.CardFingerprintRefusal.Value(f"CARD_FINGERPRINT_REFUSAL_{each}"): each
    for each in CardRejection
    if each is not CardRejection.CARD_NUMBER_TAKEN
}


def hashes_of(given: Sequence[pb.CardNumberHash]) -> list[NumberHash]:
    """The hashes, each key's first one only, in their order."""
    found: dict[str, NumberHash] = {}
    for each in given:
        found.setdefault(each.hash_key_id, NumberHash(each.hash_key_id, each.hash))
    return list(found.values())


def task_to_proto(claimed: Claimed) -> pb.CardFingerprintTask:
    return pb.CardFingerprintTask(
        card=claimed.card.name,
        issuer_id=claimed.card.issuer_id,
        generation=claimed.generation,
        encrypted_card=claimed.jwe,
        key_rotation=claimed.key_rotation,
        store_security_codes=claimed.store_security_codes,
        lease=duration(claimed.lease),
    )


class CardFingerprints:
    """The methods of CardFingerprintsService, behind the wrapper of every call."""

    def __init__(self, house: CardHouse, feed: Feed) -> None:
        self._house = house
        self._feed = feed

    def ClaimCardFingerprints(
        self, request: pb.ClaimCardFingerprintsRequest, call: Call
    ) -> pb.ClaimCardFingerprintsResponse:
        house, kids = self._house, frozenset(request.kids)
        until = min(time.monotonic() + request.wait.ToTimedelta().total_seconds(), call.deadline - ANSWER_S)
        call.on_gone(self._feed.wake)
        current = house.current_outside(house.now_outside())
        rotates = card_fingerprints.can_rotate(current, kids, request.hash_key_id)
        # A rotation is in no hurry: it is looked for once a call.
        to_rotate = rotates and card_fingerprints.has_to_rotate(house, current, kids)
        while True:
            head = self._feed.head
            if to_rotate or card_fingerprints.has_due(house, kids, rotates=rotates):
                to_rotate = False
                claimed = self._claim(request, call)
                if claimed:
                    return pb.ClaimCardFingerprintsResponse(tasks=[task_to_proto(each) for each in claimed])
            left = until - time.monotonic()
            if left <= 0 or call.over():
                return pb.ClaimCardFingerprintsResponse()
            self._feed.wait(head, min(left, LOOK_S), call.over)

    def _claim(self, request: pb.ClaimCardFingerprintsRequest, call: Call) -> list[Claimed]:
        house, principals = self._house, self._house.principals
        return house.store.write(
            "tasks",
            lambda transaction: card_fingerprints.claim(
                house,
                principals,
                transaction,
                call.caller,
                frozenset(request.kids),
                request.hash_key_id,
                request.max_tasks,
            ),
            deadline=call.deadline,
        )

    def RecordCardFingerprint(
        self, request: pb.RecordCardFingerprintRequest, call: Call
    ) -> pb.RecordCardFingerprintResponse:
        house = self._house
        seen = self._seen(request)
        principals = house.principals
        recorded, outcome = house.store.write(
            request.card,
            lambda transaction: card_fingerprints.record(
                house, principals, transaction, call.caller, request.card, request.generation, seen
            ),
            deadline=call.deadline,
        )
        FINGERPRINTS.labels(outcome).inc()
        return pb.RecordCardFingerprintResponse(recorded=recorded)

    def _seen(self, request: pb.RecordCardFingerprintRequest) -> Fingerprint | CardRejection:
        """Raises CardKeyUnknown."""
        if request.WhichOneof("result") == "refusal":
            return REFUSALS[request.refusal]
        given = request.fingerprint
        encrypted = None
        if given.encrypted_card:
            kids = [key.kid for key in card_keys.live(self._house)]
            encrypted = encrypted_cards.read(given.encrypted_card, kids, "fingerprint.encrypted_card")
        return Fingerprint(
            number_hash=NumberHash(given.hash.hash_key_id, given.hash.hash),
            bin=given.bin,
            last_digits=given.last_digits,
            expiry=given.expiry,
            has_security_code=given.has_security_code,
            encrypted=encrypted,
            former_hashes=tuple(hashes_of(given.former_hashes)),
        )
