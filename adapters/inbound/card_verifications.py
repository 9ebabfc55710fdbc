"""Verify Card: D1 asks whether a card is good, and the security code right.

The number is opened here and looked for by its hash; the core counts the try, and decides. The security code is
compared here, in memory: neither it nor a hash of it goes anywhere.
"""

import hmac
import uuid
from dataclasses import dataclass, field
from functools import partial

import grpc
import structlog
from mintmark.v1 import card_fingerprints_pb2, card_verifications_pb2_grpc
from mintmark.v1 import card_verifications_pb2 as pb

from adapters import card_numbers, json
from adapters.inbound import card_contents
from adapters.inbound.card_contents import CardContent
from adapters.inbound.card_keys import NO_KEYS, CardKeys, Held
from adapters.inbound.card_metrics import CardMetrics
from adapters.inbound.core_calls import CoreCalls, Deadline
from adapters.inbound.d1_operations import CARD_ID
from adapters.inbound.directory import AskedBy, CardDirectories
from adapters.inbound.directory_records import DirectoryRecords, verification_result
from adapters.inbound.issuer_paths import ISSUER, IssuerCallers, IssuerPath
from adapters.inbound.limits import Limits
from adapters.inbound.problems import NO_STORE, Answer, Problem, error, json_answer, unavailable
from adapters.inbound.request import Request
from adapters.jose.encryption import JweInvalid

PATH = "/issuers/{issuerId}/cards/credentials"
# D1 wants an answer within a second; past this there is none that it would wait for.
TOTAL_S = 3.0
SHORTEST_BIN, LONGEST_BIN = 6, 8

# One text for each cause: it says nothing of what was in it.
ENCRYPTED_INVALID = error(400, "encryptedData is not a JWE of card data for a key of ours", *NO_STORE)
BODY_INVALID = error(400, "The body is not a JSON object with each name once", *NO_STORE)
CARD_ID_INVALID = error(400, "cardId is not in the documented format", *NO_STORE)
BIN_INVALID = error(400, "cardBin is not in the documented format", *NO_STORE)

log = structlog.get_logger("mintmark.card_verifications")


@dataclass(frozen=True, slots=True)
class Question:
    """What D1 has sent: `encryptedData`, the card id that it proposes (empty where it does not), and `cardBin`."""

    encrypted: str = field(repr=False)
    proposed_card_id: str
    bin: str


class CardVerifications:
    """The endpoint."""

    def __init__(
        self,
        callers: IssuerCallers,
        keys: CardKeys,
        channel: grpc.aio.Channel,
        calls: CoreCalls,
        limits: Limits,
        metrics: CardMetrics,
        path: IssuerPath,
        directories: CardDirectories,
    ) -> None:
        self._callers = callers
        self._keys = keys
        self._stub = card_verifications_pb2_grpc.CardVerificationsServiceStub(channel)
        self._calls = calls
        self._limits = limits
        self._metrics = metrics
        self._path = path
        self._directories = directories
        self._records = DirectoryRecords(self._stub, calls)

    async def verify(self, request: Request) -> Answer:
        """200 with what the core says, whatever that is. Raises Problem: 400, 401, 403, 404, 503."""
        outcome = "unavailable"
        try:
            answer, outcome = await self._verify(request)
        except Problem as problem:
            outcome = "unavailable" if problem.answer.status == 503 else "refused"
            raise
        finally:
            self._metrics.verifications.labels(outcome).inc()
        return answer

    async def _verify(self, request: Request) -> tuple[Answer, str]:
        sender, ids = self._callers.known(request, self._path)
        request.check_content_type(b"application/json")
        deadline = Deadline(TOTAL_S)
        question = asked(await request.body(self._limits.body), self._limits.json_depth)
        held = self._keys.needed()
        content = self._opened(held, question.encrypted)
        begin = pb.BeginCardVerificationRequest(
            sender=sender,
            issuer_id=ids[ISSUER],
            proposed_card_id=question.proposed_card_id,
            bin_matches=content.number.startswith(question.bin),
            has_expiry=bool(content.expiry),
            has_security_code=bool(content.security_code),
            correlation_id=request.correlation.text,
        )
        if card_contents.could_be_a_number(content.number):
            for made in held.hash_keys.hashes(begin.issuer_id, content.number):
                begin.hashes.append(card_fingerprints_pb2.CardNumberHash(hash_key_id=made.key_id, hash=made.hash))
        with self._metrics.core_seconds.labels("begin").time():
            begun: pb.BeginCardVerificationResponse = await self._calls.once(
                self._stub.BeginCardVerification, begin, deadline
            )
        match begun.WhichOneof("next"):
            case "answer":
                answer = begun.answer
            case "comparison":
                answer = await self._compared(begun, content, held, deadline)
            case _:
                answer = await self._left_to_directory(begun, begin, question, content)
        return _told(answer, question), _outcome(answer)

    def _opened(self, held: Held, encrypted: str) -> CardContent:
        try:
            opened = held.opener.open(encrypted)
        except JweInvalid:
            content = None
        else:
            content = card_contents.asked(opened.plaintext)
        if content is None:
            self._metrics.unopened.labels("request").inc()
            raise Problem(ENCRYPTED_INVALID)
        return content

    async def _compared(
        self, begun: pb.BeginCardVerificationResponse, content: CardContent, held: Held, deadline: Deadline
    ) -> pb.CardVerificationAnswer:
        finish = pb.FinishCardVerificationRequest(card_data_access=begun.card_data_access)
        card = opened_at_rest(held, begun.comparison.encrypted_card)
        # The same hash is the same number; if not, somebody has changed the database.
        if card is None or not equal(card.number, content.number):
            self._metrics.unopened.labels("rest").inc()
            log.error(
                "card data at rest cannot be opened: D1 is answered 503",
                alert=True,
                card=card_numbers.cut_identifier(begun.comparison.card),
            )
            finish.unreadable = True
        else:
            finish.findings.CopyFrom(
                findings(content, card, leave_out_security_code=begun.comparison.leave_out_security_code)
            )
        with self._metrics.core_seconds.labels("finish").time():
            finished: pb.FinishCardVerificationResponse = await self._calls.repeated(
                self._stub.FinishCardVerification, finish, deadline
            )
        if not finished.HasField("answer"):
            raise Problem(unavailable(NO_KEYS))
        return finished.answer

    async def _left_to_directory(
        self,
        begun: pb.BeginCardVerificationResponse,
        begin: pb.BeginCardVerificationRequest,
        question: Question,
        content: CardContent,
    ) -> pb.CardVerificationAnswer:
        """What the issuer's own system says. Raises Problem."""
        by = AskedBy(begin.issuer_id, begin.correlation_id)
        left_out = bool(content.security_code) and not self._directories.checks_codes(by.issuer_id)
        return await self._records.kept(
            begun.card_data_access,
            self._asked_of_directory(by, begin.bin_matches, question, content),
            partial(verification_result, code_left_out=left_out),
        )

    async def _asked_of_directory(
        self, by: AskedBy, bin_matches: bool, question: Question, content: CardContent
    ) -> pb.CardVerificationAnswer:
        if not bin_matches:
            # It is told that the number begins so.
            return pb.CardVerificationAnswer(card_invalid=True, security_code_valid=not content.security_code)
        return await self._directories.verify_card(by, question.proposed_card_id, question.bin, content.members())


def asked(body: bytes, depth_limit: int) -> Question:
    """What D1 asks. Blank counts as missing, and what the contract does not know is left out. Raises Problem (400)."""
    try:
        document = json.parse(body, depth_limit)
    except json.Unreadable:
        document = None
    if document is None or document.duplicate_key:
        raise Problem(BODY_INVALID)
    encrypted = document.fields.get("encryptedData")
    if not isinstance(encrypted, str):
        raise Problem(ENCRYPTED_INVALID)
    proposed = _text(document.fields.get("cardId"), CARD_ID_INVALID)
    # A card number is no id: it would rest in the clear.
    if proposed and (not CARD_ID.fullmatch(proposed) or card_numbers.cut_identifier(proposed) != proposed):
        raise Problem(CARD_ID_INVALID)
    digits = _text(document.fields.get("cardBin"), BIN_INVALID)
    if not (SHORTEST_BIN <= len(digits) <= LONGEST_BIN and digits.isascii() and digits.isdigit()):
        raise Problem(BIN_INVALID)
    return Question(encrypted, proposed, digits)


def _text(value: object, wrong: Answer) -> str:
    if isinstance(value, json.Number):
        return value.text
    if value is not None and not isinstance(value, str):
        raise Problem(wrong)
    return value if isinstance(value, str) and value.strip() else ""


def opened_at_rest(held: Held, encrypted: str) -> CardContent | None:
    """What a card's JWE holds; None where it cannot be opened or is not what was registered."""
    try:
        opened = held.opener.open(encrypted)
    except JweInvalid:
        return None
    return card_contents.kept(opened.plaintext)


def findings(given: CardContent, card: CardContent, *, leave_out_security_code: bool) -> pb.CardFindings:
    """What D1 gave against what the card has. A code that is not to be compared is not."""
    code = pb.CARD_FIELD_COMPARISON_NOT_GIVEN
    if given.security_code:
        code = pb.CARD_FIELD_COMPARISON_NOT_COMPARED
        if card.security_code and not leave_out_security_code:
            code = _comparison(given.security_code, card.security_code)
    expiry = _comparison(given.expiry, card.expiry) if given.expiry else pb.CARD_FIELD_COMPARISON_NOT_GIVEN
    return pb.CardFindings(expiry=expiry, security_code=code)


def equal(one: str, other: str) -> bool:
    """Whether two texts are the same, in a time that says nothing of where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def _comparison(one: str, other: str) -> "pb.CardFieldComparison.ValueType":
    return pb.CARD_FIELD_COMPARISON_EQUAL if equal(one, other) else pb.CARD_FIELD_COMPARISON_DIFFERENT


def _told(answer: pb.CardVerificationAnswer, question: Question) -> Answer:
    """The answer in D1's words: both parts always, and the consumer of a card that is not invalid."""
    content: dict[str, object] = {"cardId": answer.card_id or question.proposed_card_id or str(uuid.uuid4())}
    if not answer.card_invalid and answer.consumer_id:
        content["consumerId"] = answer.consumer_id
    if answer.account_id:
        content["accountId"] = answer.account_id
    content["verificationResults"] = {
        "securityCode": {
            "valid": answer.security_code_valid,
            "verificationAttemptsExceeded": answer.verification_attempts_exceeded,
        },
        "card": {
            "lostOrStolen": answer.lost_or_stolen,
            "expired": answer.expired,
            "invalid": answer.card_invalid,
            "fraudSuspect": answer.fraud_suspect,
        },
    }
    return json_answer(200, content, *NO_STORE)


def _outcome(answer: pb.CardVerificationAnswer) -> str:
    """What the metric calls it."""
    if answer.card_invalid:
        return "card_invalid"
    if answer.verification_attempts_exceeded:
        return "attempts_exceeded"
    return "verified" if answer.security_code_valid else "security_code_not_valid"
