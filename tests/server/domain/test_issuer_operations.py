"""The order of reports on one operation: whatever order they come in, the newest and the final ones win."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from server.domain import issuer_operations
from server.domain.issuer_operations import FINAL, KIND_OF, IssuerOperation, IssuerOperationKind, IssuerOperationState
from server.domain.notifications import TO_ISSUERS, D1IssuerOperation, NotificationKind, Record

NOW = 1_764_000_000_000_000
STATUSES = st.sampled_from(["PENDING", "SUCCESSFUL", "FAILED", "APPROVED", "DECLINED", "ON_HOLD", ""])
TIMES = st.sampled_from(["", "no time", *(f"2025-01-17T06:{minute:02}:00.000Z" for minute in range(4))])
REPORTS = st.builds(D1IssuerOperation, status=STATUSES, start_time=TIMES)


def held() -> IssuerOperation:
    record = Record(
        NotificationKind.D1_CARD_OPERATION,
        "clients/d1",
        "",
        "",
        "",
        "",
        "c",
        correlation_id_given=True,
        body=b"",
        content_digest=b"",
        issuer_id="ISSUER0001",
        card_id="c-1",
        operation_id="op-1",
    )
    return issuer_operations.first_seen(record, issuer_operations.name_of(record, D1IssuerOperation()), NOW)


@given(reports=st.lists(REPORTS, min_size=1, max_size=8))
def test_nothing_goes_back(reports: list[D1IssuerOperation]) -> None:
    operation = held()
    for number, fact in enumerate(reports, 1):
        before = operation
        told = issuer_operations.report(operation, fact, str(number), NOW + number)
        operation = told.operation
        assert operation.delivery_count == number
        assert (operation.partner_order_time or 0) >= (before.partner_order_time or 0)
        if before.state in FINAL:
            assert operation.state is not IssuerOperationState.PENDING
        if told.stale:
            assert (operation.state, operation.revision) == (before.state, before.revision)
        else:
            assert (operation.state_text, operation.revision) == (fact.status, before.revision + 1)


@given(order=st.permutations(range(4)), end=st.sampled_from(["SUCCESSFUL", "FAILED"]))
def test_every_order_of_arrival_ends_alike(order: list[int], end: str) -> None:
    facts = [
        D1IssuerOperation(status="PENDING" if each < 3 else end, start_time=f"2025-01-17T06:{each:02}:00.000Z")
        for each in range(4)
    ]
    operation = held()
    for each in order:
        operation = issuer_operations.report(operation, facts[each], str(each), NOW).operation
    assert (operation.state_text, operation.last_content) == (end, "3")


def test_every_kind_that_is_told_to_issuers_is_an_operation() -> None:
    assert set(KIND_OF) == TO_ISSUERS


@pytest.mark.parametrize("text", ["pending", "NEW"])
def test_a_status_that_is_not_on_the_list_is_kept(text: str) -> None:
    told = issuer_operations.report(held(), D1IssuerOperation(status=text), "1", NOW)
    assert told.operation.state is IssuerOperationState.UNRECOGNIZED
    assert told.operation.state_text == text


@pytest.mark.parametrize(("approved", "declined", "state"), [(1, 2, "DECLINED"), (2, 1, "APPROVED")])
@pytest.mark.parametrize("approved_first", [True, False])
def test_times_say_which_of_two_ends_of_an_authorisation_counts(
    approved: int, declined: int, state: str, *, approved_first: bool
) -> None:
    facts = [
        D1IssuerOperation(status=status, end_time=f"2025-01-17T06:{minute:02}:00.000Z")
        for status, minute in (("APPROVED", approved), ("DECLINED", declined))
    ]
    operation = replace(held(), kind=IssuerOperationKind.AUTHORISATION)
    for fact in facts if approved_first else facts[::-1]:
        told = issuer_operations.report(operation, fact, "x", NOW)
        assert told.flags == ()
        operation = told.operation
    assert operation.state == state


@pytest.mark.parametrize("time", ["", "2025-01-17T06:01:00.000Z"])
def test_of_anything_else_the_last_report_counts(time: str) -> None:
    """Only of authorisations is money reserved; SUCCESSFUL and FAILED go by their arrival where no time tells."""
    operation = held()
    for status in ("SUCCESSFUL", "FAILED", "APPROVED", "DECLINED"):
        told = issuer_operations.report(operation, D1IssuerOperation(status=status, end_time=time), "x", NOW)
        assert (told.stale, told.flags, told.operation.state) == (False, (), status)
        operation = told.operation
