"""What the gateway read is kept whole, and what cannot be read is said to be so."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from server.domain.notifications import (
    Content,
    D1IssuerOperation,
    D1TokenUpdate,
    NotificationFlag,
    NotificationKind,
    QuarantineReason,
    Record,
    TshBinding,
    TshMerchant,
    TshToken,
)
from server.services.records import RecordUnreadable, pack, unpack

CONTENTS: list[type[Content]] = [D1TokenUpdate, TshBinding, TshToken, TshMerchant]
TO_ISSUER = st.builds(
    D1IssuerOperation, st.text(), st.text(), digital_card_ids=st.lists(st.text()).map(tuple), details_json=st.text()
)
RECORDS = st.builds(
    Record,
    kind=st.sampled_from(NotificationKind),
    sender=st.text(),
    merchant_gateway_id=st.text(),
    merchant_id=st.text(),
    token_id=st.text(),
    device_id=st.text(),
    correlation_id=st.text(),
    correlation_id_given=st.booleans(),
    body=st.binary(max_size=9),
    content_digest=st.binary(min_size=32, max_size=32),
    flags=st.lists(st.sampled_from(NotificationFlag)).map(tuple),
    quarantine_reason=st.none() | st.sampled_from(QuarantineReason),
    content=st.none() | st.one_of(*(st.builds(of, *([st.text()] * len(of.__slots__))) for of in CONTENTS)),
)
RECORDS_TO_ISSUERS = st.builds(
    replace,
    RECORDS,
    issuer_id=st.text(min_size=1),
    card_id=st.text(),
    digital_card_id=st.text(),
    consumer_id=st.text(),
    operation_id=st.text(),
    content=st.none() | TO_ISSUER,
)


@given(record=RECORDS | RECORDS_TO_ISSUERS)
def test_a_record_comes_back_without_its_body(record: Record) -> None:
    assert unpack(pack(record)) == replace(record, body=b"")


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"7",
        b'["NEW_KIND","s","g","m","t","d","c",true,[],null,""]',
        b'["D1_TOKEN_UPDATE","s","g","m","t","d","c",true,["NEW"],null,""]',
        b'["D1_TOKEN_UPDATE","s","g","m","t","d","c",true,[],"NEW",""]',
        b'["D1_TOKEN_UPDATE","s","g","m","t","d","c",true,[],null,"zz"]',
        b'["D1_TOKEN_UPDATE","s","g","m","t","d","c",true,[],null,"","New",{}]',
        b'["D1_TOKEN_UPDATE","s","g","m","t","d","c",true,[],null,"","D1TokenUpdate",{"new":"x"}]',
    ],
)
def test_what_this_version_does_not_know_is_unreadable(packed: bytes) -> None:
    with pytest.raises(RecordUnreadable):
        unpack(packed)
