"""A digital card is what the newest successful operations say, in whatever order D1's reports come."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from server.domain import digital_cards, names
from server.domain.digital_cards import AFTER, MOST_OF_ONE_OPERATION, DigitalCard, DigitalCardState
from server.domain.issuer_operations import IssuerOperationState
from server.domain.notifications import D1IssuerOperation, NotificationFlag, NotificationKind, Record

NOW = 1_764_000_000_000_000
MINUTE = 60 * 1_000_000
NAME = "issuers/ISSUER0001/digitalCards/d-1"
State = DigitalCardState
STATUSES = ("PENDING", "SUCCESSFUL", "FAILED", "ON_HOLD", "")
UNKNOWN = "BLOCK"
FACTS = st.tuples(st.sampled_from([*AFTER, UNKNOWN]), st.sampled_from(STATUSES))


def at(minute: int | None) -> str:
    return "" if minute is None else f"2025-01-17T06:{minute:02}:00Z"


def micros(minute: int) -> int:
    return 1_737_093_600_000_000 + minute * MINUTE


def record(fact: D1IssuerOperation, kind: NotificationKind = NotificationKind.D1_DIGITAL_CARD_OPERATION) -> Record:
    of_card = kind is NotificationKind.D1_CARD_OPERATION
    return Record(
        kind,
        "clients/d1",
        "",
        "",
        "",
        "",
        "c",
        correlation_id_given=True,
        body=b"",
        content_digest=b"",
        content=fact,
        issuer_id="ISSUER0001",
        card_id="c-1" if of_card else "",
        digital_card_id="" if of_card else "d-1",
        operation_id="op-1",
    )


def told(
    held: DigitalCard | None,
    operation: str,
    status: str = "SUCCESSFUL",
    minute: int | None = None,
    now: int = NOW,
    again: int | None = None,
) -> DigitalCard:
    """After a report of an operation on the digital card itself; `again` is when one came that is decided again."""
    fact = D1IssuerOperation(operation, status, at(minute))
    came = now if again is None else again
    after = digital_cards.report(held, NAME, record(fact), fact, now, came, again=again is not None)
    assert after is not None
    return after


def digitized(
    held: DigitalCard | None, status: str = "SUCCESSFUL", minute: int | None = None, card_id: str = "c-1"
) -> DigitalCard | None:
    """After a report that a card was digitized as the digital card."""
    fact = D1IssuerOperation("DIGITIZE", status, at(minute), digital_card_ids=("d-1",))
    said = replace(record(fact, NotificationKind.D1_CARD_OPERATION), card_id=card_id)
    return digital_cards.report(held, NAME, said, fact, NOW, NOW)


def in_state(state: DigitalCardState) -> DigitalCard:
    return DigitalCard(NAME, "ISSUER0001", "d-1", NOW, NOW, state=state, revision=1)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("operation", [*AFTER, UNKNOWN])
@pytest.mark.parametrize("state", State)
def test_the_whole_table(state: DigitalCardState, operation: str, status: str) -> None:
    """Without times: what is told last counts, and a deletion stays."""
    expected = state
    if status == "SUCCESSFUL" and state is not State.DELETED:
        if operation == UNKNOWN:
            expected = State.UNRECOGNIZED if state is State.UNSPECIFIED else state
        else:
            expected = AFTER[operation] or state
    after = told(in_state(state), operation, status)
    assert after.state is expected
    assert (after.last_operation, after.last_operation_state_text) == (operation, status)
    assert (after.revision, after.update_time) == (2, NOW)


def test_a_first_report_makes_it() -> None:
    card = told(None, "SUSPEND", "PENDING", 3)
    assert card == DigitalCard(
        name=NAME,
        issuer_id="ISSUER0001",
        digital_card_id="d-1",
        create_time=NOW,
        update_time=NOW,
        last_operation="SUSPEND",
        last_operation_id="op-1",
        last_operation_state=IssuerOperationState.PENDING,
        last_operation_state_text="PENDING",
        last_issuer_operation=f"{NAME}/operations/op-1",
        partner_order_time=micros(3),
        report_arrival_time=NOW,
        revision=1,
    )


@given(facts=st.lists(FACTS, min_size=1, max_size=7), data=st.data())
def test_with_times_every_order_of_arrival_ends_alike(facts: list[tuple[str, str]], data: st.DataObject) -> None:
    """The state is that of the newest successful operation that says one, and the newest report is the last one."""
    order = data.draw(st.permutations(range(len(facts))))
    card: DigitalCard | None = None
    for minute in order:
        before = card
        operation, status = facts[minute]
        card = told(card, operation, status, minute)
        if before is not None and before.partner_order_time is not None:
            assert (card.partner_order_time or 0) >= before.partner_order_time
    assert card is not None
    done = [(minute, operation) for minute, (operation, status) in enumerate(facts) if status == "SUCCESSFUL"]
    saying = [(minute, state) for minute, operation in done if (state := AFTER.get(operation)) is not None]
    if saying:
        assert (card.partner_state_time, card.state) == (micros(saying[-1][0]), saying[-1][1])
    else:
        odd = any(operation == UNKNOWN for _, operation in done)
        assert card.state is (State.UNRECOGNIZED if odd else State.UNSPECIFIED)
    assert (card.last_operation, card.last_operation_state_text) == facts[-1]
    assert card.partner_order_time == micros(len(facts) - 1)


@given(
    reports=st.lists(st.tuples(FACTS, st.one_of(st.none(), st.integers(0, 5)))),
    deleted_at=st.one_of(st.none(), st.integers(0, 5)),
)
def test_only_what_is_shown_to_be_newer_follows_a_deletion(
    reports: list[tuple[tuple[str, str], int | None]], deleted_at: int | None
) -> None:
    card = told(None, "DELETE", minute=deleted_at)
    newest = deleted_at
    for (operation, status), minute in reports:
        before = card
        card = told(card, operation, status, minute)
        if before.state is not State.DELETED:
            break
        newer = minute is not None and newest is not None and minute > newest
        moves = status == "SUCCESSFUL" and AFTER.get(operation) is not None
        assert card.state is ((AFTER[operation] or before.state) if newer and moves else State.DELETED)
        newest = minute if newer and moves else newest


def test_a_deletion_that_came_without_a_time_stays_though_older_reports_had_one() -> None:
    card = told(told(told(None, "CREATE", minute=1), "DELETE"), "RESUME", minute=5)
    assert (card.state, card.partner_state_time, card.last_operation) == (State.DELETED, None, "RESUME")


def test_what_is_under_way_does_not_make_an_older_success_stale() -> None:
    card = told(told(None, "RESUME", "PENDING", 9), "SUSPEND", minute=5)
    assert (card.state, card.partner_state_time) == (State.SUSPENDED, micros(5))
    assert (card.last_operation, card.partner_order_time) == ("RESUME", micros(9))


def test_a_report_that_says_nothing_new_changes_nothing() -> None:
    card = told(told(None, "CREATE", minute=5), "RENEW", minute=7)
    older = told(card, "SUSPEND", minute=3, now=NOW + 1)
    assert older is card


@pytest.mark.parametrize("minute", [None, 5])
def test_one_that_is_decided_again_stands_where_it_came(minute: int | None) -> None:
    """Where times are missing or alike, an earlier arrival is older."""
    card = told(told(None, "CREATE", minute=5, now=NOW), "SUSPEND", minute=minute, now=NOW + 10)
    assert told(card, "RESUME", minute=minute, now=NOW + 20, again=NOW + 5) is card
    later = told(card, "RESUME", minute=minute, now=NOW + 20, again=NOW + 15)
    assert (later.state, later.state_arrival_time, later.update_time) == (State.ACTIVE, NOW + 15, NOW + 20)


def test_a_clock_that_was_set_back_makes_nothing_stale() -> None:
    card = told(told(None, "CREATE", now=NOW), "SUSPEND", now=NOW - MINUTE)
    assert (card.state, card.state_arrival_time) == (State.SUSPENDED, NOW)


def test_digitize_makes_it_known_and_binds_it_and_says_no_state() -> None:
    card = digitized(None, "PENDING", 1)
    assert card is not None
    assert (card.card_id, card.state, card.digital_card_id) == ("c-1", State.UNSPECIFIED, "d-1")
    assert card.last_issuer_operation == "issuers/ISSUER0001/cards/c-1/operations/op-1"
    moved = digitized(told(card, "SUSPEND", minute=2), "SUCCESSFUL", 3, "c-2")
    assert moved is not None
    assert (moved.card_id, moved.state, moved.last_operation) == ("c-2", State.SUSPENDED, "DIGITIZE")
    older = digitized(moved, "SUCCESSFUL", 2, "c-3")
    assert older is moved


def test_what_was_not_digitized_is_made_no_card_and_bound_to_none() -> None:
    assert digitized(None, "FAILED") is None
    card = digitized(told(None, "CREATE"), "FAILED")
    assert card is not None
    assert (card.card_id, card.last_operation_state) == ("", IssuerOperationState.FAILED)


def test_which_digital_cards_a_record_tells_of() -> None:
    def of(fact: D1IssuerOperation, **fields: object) -> tuple[str, ...]:
        said = record(fact, NotificationKind.D1_CARD_OPERATION)
        return digital_cards.names_told(replace(said, **fields))  # type: ignore[arg-type]

    def named(*ids: str) -> tuple[str, ...]:
        return tuple(names.issuer_resource("ISSUER0001", "digitalCards", each) for each in ids)

    fact = D1IssuerOperation("DIGITIZE", digital_card_ids=("a", "", "b/c", "a", "x" * 1025, "411111******1111"))
    assert of(fact) == named("a", "b/c", "411111******1111")
    assert of(fact, flags=(NotificationFlag.CARD_NUMBER_CUT,)) == named("a", "b/c")
    assert of(replace(fact, operation="REPLACE")) == ()
    assert of(fact, issuer_id="") == ()
    assert of(fact, kind=NotificationKind.D1_CONSUMER_OPERATION) == ()
    assert digital_cards.names_told(record(D1IssuerOperation("SUSPEND", digital_card_ids=("a",)))) == (NAME,)
    assert digital_cards.names_told(replace(record(fact), content=None)) == ()
    many = tuple(f"d-{number}" for number in range(MOST_OF_ONE_OPERATION + 1))
    assert of(replace(fact, digital_card_ids=many)) == named(*many[:MOST_OF_ONE_OPERATION])
