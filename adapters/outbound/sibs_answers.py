"""What became of a call to the SIBS acquirer, as the core is told it.

Read leniently where that is safe: spellings of sister APIs, numbers for texts. What cannot be read for sure is not read
at all, and its outcome is unknown. Card numbers are cut from every text that is told.
"""

from collections.abc import Mapping
from typing import Any

from mintmark.v1 import webhook_configs_pb2 as configs

from adapters import card_numbers, json
from adapters.outbound.outcomes import Answered, NotSent, Result
from adapters.outbound.sibs import STATUS

DEPTH = 32
SUCCESS = "000"
# As the configuration API spells them, and as its sister APIs do.
ACCEPTED_WORDS = frozenset({"ACTC", "ACT"})
REJECTED_WORDS = frozenset({"RJCT", "RJT"})
NOT_LET_IN = frozenset({401, 403})
# Of 4xx those that say nothing about what became of the request.
SILENT = frozenset({408, 425, 429})
LONGEST_WORD, LONGEST_TEXT = 64, 512
UNREADABLE = "unreadable"

NOT_SENT = configs.ACQUIRER_CALL_OUTCOME_NOT_SENT
UNKNOWN = configs.ACQUIRER_CALL_OUTCOME_UNKNOWN
ACCEPTED = configs.ACQUIRER_CALL_OUTCOME_ACCEPTED
REJECTED = configs.ACQUIRER_CALL_OUTCOME_REJECTED
UNAUTHENTICATED = configs.ACQUIRER_CALL_OUTCOME_UNAUTHENTICATED


def fields(answered: Answered) -> Mapping[str, Any] | None:
    """The answer's JSON object; None where there is none, or where nobody could say what it means."""
    if not answered.whole:
        return None
    try:
        document = json.parse(answered.body, DEPTH)
    except json.Unreadable:
        return None
    # Of two values under one key either could be the one that was meant.
    return None if document.duplicate_key else document.fields


def text(value: object) -> str | None:
    """A text, a number as its text, nothing as an empty one; None for anything else."""
    if isinstance(value, str):
        return json.storable(value)
    if isinstance(value, json.Number):
        return value.text
    return "" if value is None else None


def told(operation: "configs.AcquirerOperation.ValueType", request_id: str, result: Result) -> configs.AcquirerCall:
    """A call, and what its outcome is."""
    call = configs.AcquirerCall(operation=operation)
    if isinstance(result, NotSent):
        call.outcome, call.trouble = NOT_SENT, result.trouble
        return call
    call.tpp_request_id = request_id
    if not isinstance(result, Answered):
        call.outcome, call.trouble = UNKNOWN, result.trouble
        return call
    call.http_status = result.http_status
    found = fields(result)
    readable = found is not None and _read(call, found)
    call.outcome = _outcome(call, readable=readable)
    if call.outcome == UNKNOWN and not readable:
        call.trouble = UNREADABLE
    return call


def _read(call: configs.AcquirerCall, found: Mapping[str, Any]) -> bool:
    """Takes the statuses over. Whether they could be read: they may be absent, but must not be something else."""
    status = found.get("returnStatus")
    if status is not None and not isinstance(status, dict):
        return False
    inner: Mapping[str, Any] = status or {}
    words = [text(value) for value in (found.get("transactionStatus"), inner.get("statusCode"))]
    if any(word is None or len(word) > LONGEST_WORD for word in words):
        return False
    call.transaction_status, call.status_code = (_cut(word, LONGEST_WORD) for word in words)
    call.status_message = _cut(text(inner.get("statusMsg")), LONGEST_TEXT)
    call.status_description = _cut(text(inner.get("statusDescription")), LONGEST_TEXT)
    return True


def _cut(given: str | None, longest: int) -> str:
    """For people, but for the words, which fit."""
    return card_numbers.cut(given or "")[:longest]


def _outcome(call: configs.AcquirerCall, *, readable: bool) -> "configs.AcquirerCallOutcome.ValueType":
    http = call.http_status
    if http in NOT_LET_IN:
        return UNAUTHENTICATED
    if 400 <= http < 500:
        return UNKNOWN if http in SILENT else REJECTED
    if not 200 <= http < 300 or not readable:
        return UNKNOWN
    if call.operation == STATUS:
        # What it says is for the core to judge.
        return ACCEPTED
    word, code = call.transaction_status.strip().upper(), call.status_code.strip()
    if word in REJECTED_WORDS:
        return REJECTED
    if word in ACCEPTED_WORDS and code:
        return ACCEPTED if code == SUCCESS else REJECTED
    return REJECTED if not word and code not in ("", SUCCESS) else UNKNOWN
