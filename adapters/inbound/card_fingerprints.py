"""Looks at card data that issuers have registered: opens it, says what may be known of it, or why it is refused.

And encrypts for a newer key, and hashes with one, what is still under an older key.
"""

import asyncio
import time
from collections.abc import Sequence

import grpc
import structlog
from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import card_fingerprints_pb2 as pb
from mintmark.v1 import card_fingerprints_pb2_grpc

from adapters import card_numbers
from adapters.core import AioAccessToken
from adapters.inbound import card_contents, core_trouble
from adapters.inbound.card_contents import CardContent
from adapters.inbound.card_keys import CardKeys, Held
from adapters.inbound.card_metrics import CardMetrics
from adapters.inbound.core_trouble import CORE_TROUBLE
from adapters.jose.encryption import JweInvalid, looks_encrypted_for
from adapters.logs import fault

# Few: each is opened on the loop that answers D1, about 0.3 ms each, with a call to the core in between.
MOST_TASKS = 16
AT_ONCE = 4
# No longer: keys that have changed count from the next claim on.
WAIT_S = 2.0
CALL_S = 5.0
# How often what was seen is told, until somebody else gets the card.
TRIES = 4
NO_KEYS_S = 300.0
SHORTEST_WAIT_S = 1.0
FINISH_S = 2.0

log = structlog.get_logger("mintmark.card_fingerprints")


class Skipped(Exception):
    """Nothing can be said of the card data here and now. Somebody else may."""


class CardFingerprints:
    """`waiting` is the channel for long polls, `channel` the one for everything else."""

    def __init__(
        self,
        keys: CardKeys,
        channel: grpc.aio.Channel,
        waiting: grpc.aio.Channel,
        access_token: AioAccessToken,
        metrics: CardMetrics,
    ) -> None:
        self._keys = keys
        self._stub = card_fingerprints_pb2_grpc.CardFingerprintsServiceStub(channel)
        self._waiting = card_fingerprints_pb2_grpc.CardFingerprintsServiceStub(waiting)
        self._access_token = access_token
        self._metrics = metrics

    async def work(self) -> None:
        """Works for ever. When it is cancelled it claims no more and finishes what it has."""
        failures = 0
        while True:
            held = self._keys.held
            if held is None:
                await self._keys.change(NO_KEYS_S)
                continue
            asked = time.monotonic()
            try:
                tasks = await self._claim(held)
            except CORE_TROUBLE as error:
                failures += 1
                log.warning("no card data could be claimed", **core_trouble.why(error))
                await asyncio.sleep(core_trouble.pause(failures))
                continue
            failures = 0
            if tasks:
                await self._finished(asyncio.create_task(self._look_at_all(tasks, held)))
            else:
                # The core has waited already; if it has not, it is not asked without end.
                await asyncio.sleep(max(0.0, SHORTEST_WAIT_S - (time.monotonic() - asked)))

    async def _claim(self, held: Held) -> Sequence[pb.CardFingerprintTask]:
        request = pb.ClaimCardFingerprintsRequest(
            max_tasks=MOST_TASKS,
            wait=Duration(seconds=int(WAIT_S)),
            kids=sorted(held.kids),
            hash_key_id=held.hash_keys.current,
        )
        claimed: pb.ClaimCardFingerprintsResponse = await core_trouble.call(
            self._access_token, self._waiting.ClaimCardFingerprints, request, WAIT_S + CALL_S
        )
        return claimed.tasks

    async def _finished(self, looking: asyncio.Task[None]) -> None:
        try:
            await asyncio.shield(looking)
        except asyncio.CancelledError:
            # What is not done by then comes again when its lease is over.
            await asyncio.wait({looking}, timeout=FINISH_S)
            looking.cancel()
            raise

    async def _look_at_all(self, tasks: Sequence[pb.CardFingerprintTask], held: Held) -> None:
        waiting = iter(tasks)

        async def some() -> None:
            for task in waiting:
                self._metrics.looks.labels(await self._look_at(task, held)).inc()

        await asyncio.gather(*(some() for _ in range(min(AT_ONCE, len(tasks)))))

    async def _look_at(self, task: pb.CardFingerprintTask, held: Held) -> str:
        """What came of it, as the metric calls it."""
        try:
            seen = record(task, held)
        except Skipped:
            return "skipped"
        except Exception as wrong:
            log.error("a fault of ours", alert=True, card=_named(task), **fault(wrong))
            return "fault"
        if seen.refusal:
            self._metrics.unopened.labels("rotation" if task.key_rotation else "registration").inc()
            log.warning(
                "card data is refused",
                card=_named(task),
                why=pb.CardFingerprintRefusal.Name(seen.refusal).removeprefix("CARD_FINGERPRINT_REFUSAL_"),
                key_rotation=task.key_rotation,
            )
        return await self._tell(seen, task)

    async def _tell(self, seen: pb.RecordCardFingerprintRequest, task: pb.CardFingerprintTask) -> str:
        for tries in range(1, TRIES + 1):
            try:
                told: pb.RecordCardFingerprintResponse = await core_trouble.call(
                    self._access_token, self._stub.RecordCardFingerprint, seen, CALL_S
                )
            except CORE_TROUBLE as error:
                log.warning(
                    "what was seen of card data could not be recorded", card=_named(task), **core_trouble.why(error)
                )
                if tries < TRIES:
                    await asyncio.sleep(core_trouble.pause(tries))
                continue
            if not told.recorded:
                return "stale"
            if seen.refusal:
                return "refused"
            return "rotated" if task.key_rotation else "recorded"
        return "not_told"


def _named(task: pb.CardFingerprintTask) -> str:
    """The card's name for the log: an issuer's id of a card may be anything."""
    return card_numbers.cut_identifier(task.card)


def record(task: pb.CardFingerprintTask, held: Held) -> pb.RecordCardFingerprintRequest:
    """What there is to say of card data. Raises Skipped for what is for a key that is not held: who has the key may
    open it, and a refusal would erase it."""
    made = pb.RecordCardFingerprintRequest(card=task.card, generation=task.generation)
    try:
        kid = looks_encrypted_for(task.encrypted_card)
        if kid not in held.kids:
            raise Skipped
        plaintext = held.opener.open(task.encrypted_card).plaintext
    except JweInvalid:
        made.refusal = pb.CARD_FINGERPRINT_REFUSAL_UNREADABLE
        return made
    content = card_contents.registered(plaintext)
    if isinstance(content, CardContent) and content.security_code and not task.store_security_codes:
        # What was taken in while they were stored stays as it is: a rotation only changes keys.
        content = content if task.key_rotation else pb.CARD_FINGERPRINT_REFUSAL_SECURITY_CODE_NOT_ALLOWED
    if not isinstance(content, CardContent):
        made.refusal = content
        return made
    current, *former = (
        pb.CardNumberHash(hash_key_id=each.key_id, hash=each.hash)
        for each in held.hash_keys.hashes(task.issuer_id, content.number)
    )
    made.fingerprint.CopyFrom(
        pb.CardFingerprint(
            hash=current,
            former_hashes=former,
            bin=content.bin,
            last_digits=content.last_digits,
            expiry=content.expiry,
            has_security_code=bool(content.security_code),
        )
    )
    # What the contract does not know does not rest here: it may be what nobody may keep.
    if kid != held.recipient.kid or card_contents.holds_more(plaintext):
        made.fingerprint.encrypted_card = held.recipient.encrypt(content.written())
    return made
