"""The whole transition table, and what no sequence of facts may ever do."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from server.domain.payment_answers import (
    Decline,
    DeclineClass,
    Doubt,
    OperationKind,
    Reading,
    Verdict,
)
from server.domain.payment_operations import (
    CHARGED,
    NOTHING_MOVED,
    TRANSITIONS,
    UNRESOLVED,
    Fact,
    Operation,
    OperationState,
    change,
    fact_of_answer,
    fact_of_silence,
    fact_of_status,
    hint,
    may_begin,
)
from server.domain.payment_options import AmountUnit

S, F = OperationState, Fact
NOW = 1_000_000_000
NO = Decline(DeclineClass.SOFT, "", "51", "no", 201)

# What each state becomes: every pair that is not here changes nothing.
CHARGE = (
    "ANSWER_APPROVED>SUCCEEDED STATUS_APPROVED>SUCCEEDED "
    "ANSWER_PARTIAL>PARTIALLY_APPROVED STATUS_PARTIAL>PARTIALLY_APPROVED"
)
REOPEN = "ANSWER_UNCLEAR>IN_DOUBT ANSWER_ACTION>IN_DOUBT ANSWER_PROCESSING>IN_DOUBT STATUS_PROCESSING>IN_DOUBT"
EXPECTED = {
    S.PENDING: f"{CHARGE} {REOPEN} BEGUN>SENDING CANCEL>CANCELLED EXPIRE>EXPIRED_UNSENT STORE_RESTORED>IN_DOUBT "
    "NO_ANSWER>IN_DOUBT ANSWER_DECLINED>IN_DOUBT STATUS_DECLINED>IN_DOUBT TRY_DECLINED>IN_DOUBT",
    S.SENDING: f"{CHARGE} NOT_SENT>PENDING NO_ANSWER>IN_DOUBT ANSWER_DECLINED>DECLINED ANSWER_ACTION>REQUIRES_ACTION "
    "ANSWER_PROCESSING>PROCESSING ANSWER_UNCLEAR>IN_DOUBT STATUS_DECLINED>DECLINED STATUS_PROCESSING>PROCESSING "
    "SENDER_SILENT>IN_DOUBT STORE_RESTORED>IN_DOUBT",
    S.PROCESSING: f"{CHARGE} ANSWER_DECLINED>DECLINED ANSWER_ACTION>REQUIRES_ACTION STATUS_DECLINED>DECLINED "
    "TRY_DECLINED>IN_DOUBT NOT_CHARGED>NOT_CHARGED",
    S.REQUIRES_ACTION: f"{CHARGE} ACTION_WINDOW_PASSED>IN_DOUBT",
    S.IN_DOUBT: f"{CHARGE} NOT_SENT>PENDING NO_ANSWER>IN_DOUBT ANSWER_DECLINED>DECLINED ANSWER_ACTION>REQUIRES_ACTION "
    "ANSWER_PROCESSING>PROCESSING ANSWER_UNCLEAR>IN_DOUBT STATUS_DECLINED>DECLINED STATUS_PROCESSING>PROCESSING "
    "NOT_CHARGED>NOT_CHARGED",
    S.SUCCEEDED: "",
    S.PARTIALLY_APPROVED: "",
    S.DECLINED: f"{CHARGE} STATUS_PROCESSING>IN_DOUBT ANSWER_PROCESSING>IN_DOUBT",
    S.CANCELLED: f"{CHARGE} {REOPEN} NO_ANSWER>IN_DOUBT",
    S.EXPIRED_UNSENT: f"{CHARGE} {REOPEN} NO_ANSWER>IN_DOUBT",
    S.NOT_CHARGED: f"{CHARGE} {REOPEN} NO_ANSWER>IN_DOUBT",
}
DEFINITE = {
    F.ANSWER_APPROVED: Verdict.APPROVED,
    F.STATUS_APPROVED: Verdict.APPROVED,
    F.ANSWER_PARTIAL: Verdict.PARTIALLY_APPROVED,
    F.STATUS_PARTIAL: Verdict.PARTIALLY_APPROVED,
    F.ANSWER_DECLINED: Verdict.DECLINED,
    F.STATUS_DECLINED: Verdict.DECLINED,
}


def operation(state: OperationState = S.PENDING, doubt: Doubt | None = None) -> Operation:
    return Operation(
        name="payments/p/operations/1",
        payment="payments/p",
        account="partnerAccounts/a",
        number=1,
        kind=OperationKind.PURCHASE,
        state=state,
        minor_amount=1000,
        currency_code="JPY",
        amount_unit=AmountUnit.NONE,
        reference="p-1",
        partner_merchant_id="m",
        stored_payment_method_id="s",
        live=False,
        send_before=NOW + 300,
        create_time=NOW,
        update_time=NOW,
        doubt=doubt,
    )


def reading(verdict: Verdict, named: str = "t-1", amount: int = 1000) -> Reading:
    return Reading(
        verdict,
        "said",
        doubt=Doubt.ANSWER_UNREADABLE if verdict is Verdict.IN_DOUBT else None,
        decline=NO if verdict is Verdict.DECLINED else None,
        confirmed_minor_amount=amount if verdict in (Verdict.APPROVED, Verdict.PARTIALLY_APPROVED) else None,
        redirect_url="https://x.example" if verdict is Verdict.REQUIRES_ACTION else "",
        partner_transaction_id=named,
    )


def test_the_table_is_the_one_that_is_written_down_here() -> None:
    written = {
        state: {F[each.split(">")[0]]: S[each.split(">")[1]] for each in line.split()}
        for state, line in EXPECTED.items()
    }
    assert dict(TRANSITIONS) == written


@pytest.mark.parametrize(("state", "fact"), list(itertools.product(S, F)))
def test_every_fact_in_every_state(state: OperationState, fact: Fact) -> None:
    doubt = Doubt.SENDER_SILENT if state is S.IN_DOUBT else None
    before = operation(state, doubt)
    said = reading(DEFINITE[fact]) if fact in DEFINITE else None
    after = change(before, fact, NOW + 1, said, action_window=1800).after
    assert after.state is TRANSITIONS[state].get(fact, state)
    assert (after.doubt is not None) == (after.state is S.IN_DOUBT)


def test_states_are_of_one_sort() -> None:
    assert set(S) == UNRESOLVED | CHARGED | NOTHING_MOVED
    assert not UNRESOLVED & CHARGED
    assert not (UNRESOLVED | CHARGED) & NOTHING_MOVED


def test_no_state_absorbs_evidence_of_a_charge() -> None:
    for state in set(S) - CHARGED:
        for fact in (F.ANSWER_APPROVED, F.STATUS_APPROVED):
            told = change(operation(state), fact, NOW, reading(Verdict.APPROVED))
            assert told.after.state is S.SUCCEEDED
            assert told.charged_after_all == (state in NOTHING_MOVED)
            assert (told.after.confirmed_minor_amount, told.after.partner_transaction_id) == (1000, "t-1")


@pytest.mark.parametrize("doubt", Doubt)
def test_only_a_silent_senders_proof_leads_back_to_unsent(doubt: Doubt) -> None:
    after = change(operation(S.IN_DOUBT, doubt), F.NOT_SENT, NOW).after
    assert (after.state is S.PENDING) == (doubt is Doubt.SENDER_SILENT)


def test_why_there_is_doubt_stays_what_it_was() -> None:
    doubtful = operation(S.IN_DOUBT, Doubt.STORE_RESTORED)
    assert change(doubtful, F.NO_ANSWER, NOW).after is doubtful
    silent = operation(S.IN_DOUBT, Doubt.SENDER_SILENT)
    assert change(silent, F.NO_ANSWER, NOW).after.doubt is Doubt.OUTCOME_UNKNOWN


def test_definite_pieces_that_disagree_are_noticed() -> None:
    paid = replace(operation(S.SUCCEEDED), partner_transaction_id="t-1", confirmed_minor_amount=1000)
    for told in (
        change(paid, F.STATUS_DECLINED, NOW, reading(Verdict.DECLINED)),
        change(paid, F.NOT_SENT, NOW),
        change(paid, F.STATUS_PARTIAL, NOW, reading(Verdict.PARTIALLY_APPROVED, amount=5)),
    ):
        assert (told.changed, told.disagrees) == (False, True)
    assert not change(paid, F.STATUS_DECLINED, NOW, reading(Verdict.DECLINED, "another try")).disagrees
    assert not change(paid, F.STATUS_APPROVED, NOW, reading(Verdict.APPROVED)).disagrees


def test_what_somebody_has_heard_of_was_sent() -> None:
    """A hint moves no state; but what is hinted at is neither sent again nor called unsent."""
    hinted = hint(operation())
    assert hinted.state is S.PENDING
    assert not may_begin(hinted, NOW)
    assert may_begin(operation(), NOW)
    assert not may_begin(operation(), NOW + 300)
    assert change(hinted, F.EXPIRE, NOW).after.state is S.IN_DOUBT
    sending = replace(hint(operation(S.SENDING)), attempt_count=1)
    said = fact_of_silence(sending, 1, sent=False)
    assert said is not None
    assert change(sending, said[0], NOW, said[1]).after.state is S.IN_DOUBT


@pytest.mark.parametrize("verdict", [each for each in Verdict if each is not Verdict.NOTHING])
def test_of_an_earlier_attempt_only_a_yes_counts(verdict: Verdict) -> None:
    later = replace(operation(S.SENDING), attempt_count=2)
    after = change(later, *_ordered(fact_of_answer(later, 1, reading(verdict)))).after
    paid = {Verdict.APPROVED: S.SUCCEEDED, Verdict.PARTIALLY_APPROVED: S.PARTIALLY_APPROVED}
    assert after.state is paid.get(verdict, S.IN_DOUBT)


def _ordered(said: tuple[Fact, Reading]) -> tuple[Fact, int, Reading]:
    return said[0], NOW, said[1]


def test_a_declined_try_is_no_decline_where_the_payer_may_try_again() -> None:
    acting = replace(operation(S.REQUIRES_ACTION), action_required=True)
    fact = fact_of_status(acting, reading(Verdict.DECLINED))
    assert fact is F.TRY_DECLINED
    assert fact_of_status(operation(), reading(Verdict.DECLINED)) is F.STATUS_DECLINED
    assert fact_of_status(operation(), Reading(Verdict.NOTHING, "")) is None


@given(st.lists(st.sampled_from(F), max_size=30))
def test_time_alone_never_fails_what_is_in_doubt(facts: list[Fact]) -> None:
    """From doubt only evidence leads to a state that says that nothing was moved."""
    evidence = {F.ANSWER_DECLINED, F.STATUS_DECLINED, F.NOT_CHARGED, F.NOT_SENT}
    held = operation(S.IN_DOUBT, Doubt.OUTCOME_UNKNOWN)
    for fact in facts:
        said = reading(DEFINITE[fact]) if fact in DEFINITE else None
        told = change(held, fact, NOW, said, action_window=9)
        if held.state is S.IN_DOUBT and told.after.state in NOTHING_MOVED:
            assert fact in evidence - {F.NOT_SENT}
        if held.state in CHARGED:
            assert told.after.state in CHARGED
        held = told.after


@given(st.lists(st.sampled_from(F), max_size=40), st.data())
def test_no_second_attempt_without_proof_that_the_first_was_not_sent(facts: list[Fact], data: st.DataObject) -> None:
    """Whatever comes in whatever order: between two grants lies a proof, and a charge that was told stays."""
    held, under_way, charged = operation(), False, False
    for drawn in facts:
        fact = F.BEGUN if may_begin(held, NOW) and data.draw(st.booleans()) else drawn
        if fact is F.BEGUN and not may_begin(held, NOW):
            continue
        said = reading(DEFINITE[fact]) if fact in DEFINITE else None
        told = change(held, fact, NOW, said, action_window=9)
        if told.changed and fact is F.BEGUN:
            assert not under_way
            under_way = True
        if told.changed and fact is F.NOT_SENT:
            under_way = False
        charged = charged or (said is not None and said.verdict in (Verdict.APPROVED, Verdict.PARTIALLY_APPROVED))
        held = told.after
        assert (held.state in CHARGED) == charged


class Sending(RuleBasedStateMachine):
    """A partner that charges once for each attempt that was sent; reports come in any order, late and twice."""

    def __init__(self) -> None:
        super().__init__()
        self.operation = operation()
        self.now = NOW
        # What truly became of each attempt: sent or not, and charged or not.
        self.sent: list[bool] = []
        self.charged: list[bool] = []
        self.reported: set[int] = set()

    def _apply(self, fact: Fact, said: Reading | None = None) -> None:
        before = self.operation
        self.operation = change(before, fact, self.now, said, action_window=1800).after

    @precondition(lambda self: may_begin(self.operation, self.now))
    @rule(sent=st.booleans(), charged=st.booleans())
    def begin(self, sent: bool, charged: bool) -> None:
        self._apply(F.BEGUN)
        self.sent.append(sent)
        self.charged.append(sent and charged)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def report(self, data: st.DataObject) -> None:
        """The truth about an attempt, or silence: a transport that says that nothing was sent is right."""
        number = data.draw(st.integers(1, len(self.sent)))
        if not self.sent[number - 1]:
            said = fact_of_silence(self.operation, number, sent=False)
            if said:
                self._apply(*said)
            return
        if data.draw(st.booleans()):
            fact = fact_of_silence(self.operation, number, sent=True)
            if fact:
                self._apply(*fact)
            return
        verdict = Verdict.APPROVED if self.charged[number - 1] else Verdict.DECLINED
        self._apply(*fact_of_answer(self.operation, number, reading(verdict, f"t-{number}")))

    @precondition(lambda self: any(self.sent))
    @rule(data=st.data())
    def status(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from([n + 1 for n, sent in enumerate(self.sent) if sent]))
        verdict = Verdict.APPROVED if self.charged[number - 1] else Verdict.DECLINED
        said = reading(verdict, f"t-{number}")
        fact = fact_of_status(self.operation, said)
        if fact:
            self._apply(fact, said)

    @precondition(lambda self: any(self.sent))
    @rule()
    def webhook(self) -> None:
        if self.operation.unresolved:
            self.operation = hint(self.operation)

    @rule(fact=st.sampled_from([F.SENDER_SILENT, F.CANCEL, F.ACTION_WINDOW_PASSED, F.STORE_RESTORED]))
    def time_passes(self, fact: Fact) -> None:
        self._apply(fact)

    @rule()
    def expire(self) -> None:
        self.now = max(self.now, self.operation.send_before)
        self._apply(F.EXPIRE)

    @invariant()
    def charged_at_most_once(self) -> None:
        assert sum(self.sent) <= 1
        assert sum(self.charged) <= 1

    @invariant()
    def never_called_failed_what_was_charged(self) -> None:
        if any(self.charged):
            assert self.operation.state not in NOTHING_MOVED | {S.PENDING}

    @invariant()
    def never_called_paid_what_was_not(self) -> None:
        if self.operation.state in CHARGED:
            assert any(self.charged)


TestSending = Sending.TestCase
