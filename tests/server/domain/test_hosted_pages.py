"""Links to hosted pages: never taken for payments, and in no order of what comes back called failed."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from server.domain.hosted_pages import judge
from server.domain.money import Money
from server.domain.payment_answers import (
    Doubt,
    Expected,
    OperationKind,
    PartnerAnswer,
    Reading,
    Verdict,
    judge_status,
)
from server.domain.payment_operations import (
    CHARGED,
    NOTHING_MOVED,
    Fact,
    OperationState,
    change,
    fact_of_answer,
    fact_of_silence,
    fact_of_status,
    hint,
    may_begin,
)
from server.domain.payment_options import AmountUnit, PageLink, page_url_problem
from tests.server.domain.test_payment_answers import OURS, YES
from tests.server.domain.test_payment_operations import NOW, operation, reading

EXPECTED = Expected(
    kind=OperationKind.HOSTED_PURCHASE,
    amount=Money(1000, "JPY"),
    amount_unit=AmountUnit.NONE,
    reference=OURS.reference,
    partner_merchant_id=OURS.partner_merchant_id,
    stored_payment_method_id="",
    live=False,
)
URL = "https://checkout.example/en/HostedPaymentPage/1"
LINK = PartnerAnswer(
    http_status=201,
    readable=True,
    page=PageLink(URL, "1000", "JPY", OURS.reference, OURS.partner_merchant_id),
)


def test_a_link_sends_the_payer_there_and_names_no_transaction() -> None:
    said = judge(EXPECTED, LINK)
    assert (said.verdict, said.redirect_url, said.partner_transaction_id) == (Verdict.REQUIRES_ACTION, URL, "")


def test_whichever_card_was_stored_is_the_payers_own() -> None:
    yes = replace(YES, http_status=200, stored_payment_method_id="anything")
    said = judge_status(EXPECTED, yes, yes.partner_transaction_id)
    assert said.verdict is Verdict.APPROVED


TEXTS = [
    each.name
    for each in fields(PartnerAnswer)
    if each.name not in {"http_status", "readable", "body", "page", "redirect_url"}
]
WORDS = st.sampled_from(["", "true", "false", "0", "51", "578", "INFO0000", "ERR3004", "CAPTURE", "1000", "JPY", "x"])


@given(
    st.sampled_from([200, 201, 302, 400, 404, 409, 500]),
    st.booleans(),
    st.sampled_from(["", URL, "javascript:alert(1)", "/page"]),
    st.dictionaries(st.sampled_from(TEXTS), WORDS),
)
def test_no_answer_to_the_request_for_a_page_is_a_payment(
    status: int, readable: bool, url: str, said: dict[str, str]
) -> None:
    page = replace(LINK.page, url=url) if LINK.page and url else None
    texts: dict[str, Any] = dict(said)
    answer = replace(LINK, http_status=status, readable=readable, page=page, **texts)
    told = judge(EXPECTED, answer)
    assert told.verdict not in (Verdict.APPROVED, Verdict.PARTIALLY_APPROVED)
    if told.verdict is Verdict.REQUIRES_ACTION:
        assert (status in (200, 201), readable, told.redirect_url, url) == (True, True, URL, URL)
    if told.verdict is Verdict.DECLINED:
        # A page that is there, or may be, is never called declined.
        assert not url or not readable


@pytest.mark.parametrize(
    ("url", "live", "wrong"),
    [
        (URL, True, False),
        ("http://127.0.0.1:8090/HostedPaymentPage/1", False, False),
        ("http://127.0.0.1:8090/HostedPaymentPage/1", True, True),
        ("HTTPS://CHECKOUT.EXAMPLE/1", True, False),
        ("javascript:alert(1)", False, True),
        ("data:text/html,x", False, True),
        ("https:checkout.example", False, True),
        ("https://", False, True),
        ("https://checkout.example:port/", False, True),
        ("https://checkout.example/\n", False, True),
        ("https://checkout.example/ü", False, True),
        ("https://a@checkout.example/", False, True),
        ("https://checkout.example/520000******1005", False, True),
    ],
)
def test_what_a_payer_can_be_sent_to(url: str, live: bool, wrong: bool) -> None:
    assert bool(page_url_problem(url, live=live)) is wrong


class Page(RuleBasedStateMachine):
    """A partner that makes one page for each request that was sent, on which the payer tries until it is paid.

    The link may be lost, told late or twice, refused where no page was made; what becomes of tries is known by
    status answers, in any order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operation = replace(operation(), kind=OperationKind.HOSTED_PURCHASE, action_required=True)
        self.now = NOW
        # Of each attempt: "unsent", "page" or "refused".
        self.attempts: list[str] = []
        # Of each try on the page: whether it paid.
        self.tries: list[bool] = []

    def _apply(self, fact: Fact, said: Reading | None = None) -> None:
        self.operation = change(self.operation, fact, self.now, said, action_window=1800).after

    @precondition(lambda self: may_begin(self.operation, self.now))
    @rule(became=st.sampled_from(["unsent", "page", "refused"]))
    def begin(self, became: str) -> None:
        self._apply(Fact.BEGUN)
        self.attempts.append(became)

    @precondition(lambda self: "page" in self.attempts and True not in self.tries)
    @rule(pays=st.booleans())
    def the_payer_tries(self, pays: bool) -> None:
        self.tries.append(pays)

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), lost=st.booleans())
    def report(self, data: st.DataObject, lost: bool) -> None:
        number = data.draw(st.integers(1, len(self.attempts)))
        became = self.attempts[number - 1]
        if became == "unsent" or lost:
            said = fact_of_silence(self.operation, number, sent=became != "unsent")
            if said:
                self._apply(*said)
            return
        verdict = Verdict.REQUIRES_ACTION if became == "page" else Verdict.DECLINED
        self._apply(*fact_of_answer(self.operation, number, reading(verdict, "")))

    @precondition(lambda self: self.tries)
    @rule(data=st.data())
    def status(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.tries) - 1))
        verdict = Verdict.APPROVED if self.tries[number] else Verdict.DECLINED
        said = reading(verdict, f"t-{number}")
        fact = fact_of_status(self.operation, said)
        if fact:
            self._apply(fact, said)

    @precondition(lambda self: self.tries)
    @rule()
    def webhook(self) -> None:
        if self.operation.unresolved:
            self.operation = hint(self.operation)

    @rule(fact=st.sampled_from([Fact.SENDER_SILENT, Fact.CANCEL, Fact.ACTION_WINDOW_PASSED, Fact.STORE_RESTORED]))
    def time_passes(self, fact: Fact) -> None:
        self._apply(fact)

    @rule()
    def expire(self) -> None:
        self.now = max(self.now, self.operation.send_before)
        self._apply(Fact.EXPIRE)

    @invariant()
    def one_page_at_most(self) -> None:
        assert self.attempts.count("page") + self.attempts.count("refused") <= 1

    @invariant()
    def a_page_is_never_called_failed(self) -> None:
        """Neither by a declined try nor by time: the payer may still pay."""
        if "page" in self.attempts:
            assert self.operation.state not in NOTHING_MOVED | {OperationState.PENDING}

    @invariant()
    def never_called_paid_what_was_not(self) -> None:
        if self.operation.state in CHARGED:
            assert True in self.tries

    @invariant()
    def only_doubt_has_a_reason(self) -> None:
        assert (self.operation.doubt is not None) == (self.operation.state is OperationState.IN_DOUBT)
        assert self.operation.doubt is None or isinstance(self.operation.doubt, Doubt)


TestPage = Page.TestCase
