"""Get Card Credentials: D1 wants what is on a card. It is opened here, in memory, and encrypted for D1's pinned key."""

import hmac

import grpc
import structlog
from mintmark.v1 import accounts_pb2, card_fingerprints_pb2, card_verifications_pb2_grpc
from mintmark.v1 import card_verifications_pb2 as pb
from mintmark.v1.card_data_accesses_pb2 import CardDataAccessResult

from adapters import card_numbers
from adapters.inbound import card_contents, pinned_keys
from adapters.inbound.card_contents import CardContent
from adapters.inbound.card_keys import NO_KEYS, CardKeys, Held
from adapters.inbound.card_metrics import CardMetrics
from adapters.inbound.card_verifications import opened_at_rest
from adapters.inbound.core_calls import NOT_ANSWERED, CoreCalls, Deadline
from adapters.inbound.directory import AskedBy, CardDirectories
from adapters.inbound.directory_records import DirectoryRecords
from adapters.inbound.issuer_paths import ISSUER, IssuerCallers, IssuerPath
from adapters.inbound.problems import FORBIDDEN, NO_STORE, NOT_FOUND, Answer, Problem, error, json_answer, unavailable
from adapters.inbound.request import Request
from adapters.jose.encryption import Recipient
from adapters.jose.keys import KeyInvalid

PATH = "/issuers/{issuerId}/cards/{cardId}/credentials"
TOTAL_S = 3.0
CERTIFICATE_NEEDED = error(403, "Card data is told only to callers with a client certificate", *NO_STORE)

log = structlog.get_logger("mintmark.card_credentials")


class PinnedKeys:
    """The recipients of D1's pinned keys, made once for each."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str, str], Recipient] = {}

    def of(self, key: accounts_pb2.D1PublicKey) -> Recipient:
        """Raises Problem (503), with an alert, for a key that cannot be used or is not what it is pinned as."""
        which = (key.public_key, key.thumbprint, key.key_id)
        if which not in self._made:
            try:
                self._made[which] = pinned_keys.recipient(key)
            except KeyInvalid as invalid:
                log.error("a key of D1's cannot be used", alert=True, why=str(invalid), thumbprint=key.thumbprint)
                raise Problem(unavailable(NOT_ANSWERED)) from None
        return self._made[which]


class CardCredentials:
    """The endpoint."""

    def __init__(
        self,
        callers: IssuerCallers,
        keys: CardKeys,
        channel: grpc.aio.Channel,
        calls: CoreCalls,
        metrics: CardMetrics,
        path: IssuerPath,
        directories: CardDirectories,
    ) -> None:
        self._callers = callers
        self._keys = keys
        self._stub = card_verifications_pb2_grpc.CardVerificationsServiceStub(channel)
        self._calls = calls
        self._metrics = metrics
        self._path = path
        self._directories = directories
        self._records = DirectoryRecords(self._stub, calls)
        self._pinned = PinnedKeys()

    async def tell(self, request: Request) -> Answer:
        """200 with a JWE for D1. Raises Problem: 400, 401, 403, 404, 503."""
        outcome = "unavailable"
        try:
            answer = await self._tell(request)
            outcome = "told"
        except Problem as problem:
            outcome = "unavailable" if problem.answer.status == 503 else "refused"
            raise
        finally:
            self._metrics.credentials.labels(outcome).inc()
        return answer

    async def _tell(self, request: Request) -> Answer:
        sender, ids = self._callers.known(request, self._path)
        issuer_id = ids[ISSUER]
        # A card number is the id of no card, and would go into the core's records as one.
        if card_numbers.cut_identifier(ids["cardId"]) != ids["cardId"]:
            raise Problem(NOT_FOUND)
        if not (request.certified or request.from_loopback):
            raise Problem(CERTIFICATE_NEEDED)
        recipient = self._for_d1(issuer_id)
        held = self._keys.needed()
        asked = pb.ReadCardCredentialsRequest(
            sender=sender, issuer_id=issuer_id, card_id=ids["cardId"], correlation_id=request.correlation.text
        )
        # Each call that is answered is an opening of its own in the record, so it is not repeated.
        with self._metrics.core_seconds.labels("read").time():
            read: pb.ReadCardCredentialsResponse = await self._calls.once(
                self._stub.ReadCardCredentials, asked, Deadline(TOTAL_S)
            )
        if read.directory:
            by = AskedBy(issuer_id, request.correlation.text)
            asked_of = self._from_directory(by, ids["cardId"])
            card = await self._records.kept(read.card_data_access, asked_of, _result)
        else:
            card = await self._at_rest(held, issuer_id, read)
        if card is None:
            self._metrics.unopened.labels("directory" if read.directory else "rest").inc()
            log.error("card data cannot be opened: D1 is answered 503", alert=True, access=read.card_data_access)
            raise Problem(unavailable(NO_KEYS))
        return json_answer(200, {"encryptedData": recipient.encrypt(card.written())}, *NO_STORE)

    async def _at_rest(self, held: Held, issuer_id: str, read: pb.ReadCardCredentialsResponse) -> CardContent | None:
        """What the card's JWE holds; None where it cannot be opened or holds another card, which the core is told."""
        card = opened_at_rest(held, read.encrypted_card)
        if card is not None and _has_hash(held, issuer_id, card.number, read.number_hash):
            return card
        await self._records.tell_unreadable(read.card_data_access)
        return None

    async def _from_directory(self, by: AskedBy, card_id: str) -> CardContent | None:
        """What the issuer's own system has of the card. Raises Problem."""
        return card_contents.kept(await self._directories.card_credentials(by, card_id))

    def _for_d1(self, issuer_id: str) -> Recipient:
        """The first key that D1 has in the issuer's account. Raises Problem: 403 where it has none."""
        account = self._callers.principals.issuer_account(issuer_id)
        if account is None or not account.d1_issuer.d1_public_keys:
            raise Problem(FORBIDDEN)
        return self._pinned.of(account.d1_issuer.d1_public_keys[0])


def _has_hash(held: Held, issuer_id: str, number: str, wanted: card_fingerprints_pb2.CardNumberHash) -> bool:
    """Whether a number has this hash. If not, somebody has changed the database, or taken its key out of the file."""
    made = {each.key_id: each.hash for each in held.hash_keys.hashes(issuer_id, number)}
    return hmac.compare_digest(made.get(wanted.hash_key_id, b""), wanted.hash)


def _result(card: CardContent | None) -> "CardDataAccessResult.ValueType":
    """What the record calls what an issuer's own system came to."""
    if card is None:
        return CardDataAccessResult.CARD_DATA_ACCESS_RESULT_UNREADABLE
    return CardDataAccessResult.CARD_DATA_ACCESS_RESULT_SUCCEEDED
