"""Pages of the partner's on which the payer enters the card: what the answer to the request for a link says.

It says nothing about money, so that it is never taken for a payment. What becomes of the payer's tries is judged as the
status of any payment is.
"""

from server.domain import payment_answers
from server.domain.payment_answers import (
    READ_STATUSES,
    Doubt,
    Expected,
    OperationKind,
    PartnerAnswer,
    Reading,
    Verdict,
    amount_said,
    class_of_no,
    stranger_of,
)
from server.domain.payment_codes import CodeClass
from server.domain.payment_options import PageLink, page_url_problem


def asks_for_page(kind: OperationKind) -> bool:
    """Whether what is sent asks for a page on which the payer pays."""
    return kind is OperationKind.HOSTED_PURCHASE


def judge(expected: Expected, answer: PartnerAnswer) -> Reading:
    """What the answer to an attempt says of it, whichever kind of operation it is."""
    said = payment_answers.judge(expected, answer)
    if not asks_for_page(expected.kind):
        return said
    if answer.page is None or not answer.readable:
        # A no is a no; but nothing here is a payment.
        return said if said.verdict in (Verdict.DECLINED, Verdict.IN_DOUBT) else _doubt(said, "neither a page nor a no")
    if answer.http_status not in READ_STATUSES:
        return _doubt(said, f"HTTP {answer.http_status} together with a page")
    if answer.redirect_url:
        return _doubt(said, "a redirect where a page was asked for")
    if answer.success == "false" or class_of_no(answer) not in (CodeClass.NONE, CodeClass.APPROVED):
        return _doubt(said, "a page together with a no")
    if stranger := stranger_of(expected, answer) or _strange_page(expected, answer.page):
        return _doubt(said, stranger)
    if problem := page_url_problem(answer.page.url, live=expected.live):
        return _doubt(said, f"the page's address {problem}")
    # Its id is not the transaction's, so that nothing is bound by it.
    return Reading(Verdict.REQUIRES_ACTION, "the payer has to act on the page", redirect_url=answer.page.url)


def _strange_page(expected: Expected, page: PageLink) -> str:
    """Why a page is not for what was asked for; empty where nothing says so."""
    ours = expected.amount
    if page.reference and page.reference != expected.reference:
        return "a page with another reference than ours"
    if page.partner_merchant_id and page.partner_merchant_id != expected.partner_merchant_id:
        return "a page of another merchant than ours"
    if page.currency and page.currency.upper() != ours.currency_code:
        return "a page with another currency than ours"
    if page.amount and amount_said(page.amount, ours.currency_code, expected.amount_unit) != ours:
        return "a page with another amount than ours"
    return ""


def _doubt(said: Reading, why: str) -> Reading:
    named = said.partner_transaction_id
    return Reading(Verdict.IN_DOUBT, why, Doubt.ANSWER_UNREADABLE, partner_transaction_id=named)
