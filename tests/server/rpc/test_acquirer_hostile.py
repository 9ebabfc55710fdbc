"""Whatever is encrypted with the right key, or with none: an answer, and never a fault of ours; on each database."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.rpc.acquiring import Merchant, open_merchant, outcome_of, said
from tests.server.rpc.running import RunningCore, request_id

FIELDS = sorted({*said(), "merchant", "merchantTransactionId", "value", "currency", "terminalId", "statusCode"})
# Texts with what databases, protocols and names choke on.
TEXTS = st.text(st.sampled_from("a0 /%~\x00\ud800\U0001f600'\"\\\n4"), max_size=12) | st.sampled_from(
    ["4111111111111111", "t" * 3000, "../..", "Success", "PURS", "2026-03-12T10:48:44Z", "\ufeff"]
)
SCALARS = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.sampled_from(["1e999", "-0"]) | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | TEXTS, each, max_size=4),
    max_leaves=10,
)
MESSAGES = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=8)


@settings(max_examples=60)
@given(MESSAGES, st.booleans())
def run_hostile(merchant: Merchant, fields: dict[str, Any], as_known: bool) -> None:
    message = {**said(), **fields} if as_known else fields
    first, again = (merchant.send(json.dumps(message).encode()) for _ in range(2))
    assert outcome_of(first) == outcome_of(again)
    assert outcome_of(first) in ("ACKNOWLEDGED", "MALFORMED")
    assert (first.notification, again.repeated) == (again.notification, True)


@settings(max_examples=60)
@given(st.binary(min_size=1, max_size=200))
def run_bytes(merchant: Merchant, plaintext: bytes) -> None:
    assert outcome_of(merchant.send(plaintext)) == "MALFORMED"


def test_no_content_is_a_fault_of_ours_and_every_repeat_is_one(moving: RunningCore) -> None:
    merchant = open_merchant(moving)
    run_hostile(merchant)
    run_bytes(merchant)
    # Everything that was kept can be shown.
    for kept in merchant.kept():
        assert kept.kind == 10
    marked = merchant.tell(notificationID=request_id())
    assert merchant.get(marked).report_count == 1
