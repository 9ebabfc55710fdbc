"""What a payer does in a browser: the 3DS page and the hosted payment page."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from msgspec import structs
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from adapters.sandbox.payment_options import html, outcomes
from adapters.sandbox.payment_options.charges import DECLINED, Card, Charge, Order
from adapters.sandbox.payment_options.fields import CURRENCY, is_amount
from adapters.sandbox.payment_options.methods import TEST_CARDS, sample_card
from adapters.sandbox.payment_options.outcomes import Outcome
from adapters.sandbox.payment_options.pages import OPEN, PAID, Page, Pages
from adapters.sandbox.payment_options.payments import Payments

LONGEST_FORM = 8 * 1024
MOST_FIELDS = 32
OFFERED = ("soft-decline-51", "hard-decline-14", "pending-charged", "pending-declined", "partial-approval")


class Checkout:
    """Serves the pages of links that were given out."""

    def __init__(self, payments: Payments, pages: Pages) -> None:
        self._payments = payments
        self._pages = pages

    async def three_ds(self, request: Request) -> Response:
        """GET and POST /integration/3ds?_token=..."""
        page = self._pages.get(request.query_params.get("_token", ""))
        if page is None or page.page != "three-ds":
            return html.page("No such payment", html.wrong("This link is not known."), status=404)
        form = await _form(request)
        if form is None:
            return html.page("Confirm your payment", self._three_ds_form(request, page), goes_to=_targets(page))
        if isinstance(form, Response):
            return form
        decision = form.get("decision", "")
        if decision == "abandon":
            return html.page("Abandoned", "<p>Nothing was sent to the merchant. You can close this window.</p>")
        if decision not in {"approve", "decline"}:
            form_again = self._three_ds_form(request, page)
            return html.page("Confirm your payment", form_again, status=400, goes_to=_targets(page))
        closed = self._closed(page)
        if closed is not None:
            return closed
        return _back(page, await self.decide(page, approve=decision == "approve"))

    async def decide(self, page: Page, *, approve: bool) -> Charge:
        """The payer's decision on the 3DS page. The caller has seen that the page is open."""
        card, _, _ = self._payments.card(page.order)
        outcome = outcomes.of(page.order.amount, page.order.method_id) if approve else outcomes.PAYER_DECLINE
        if outcome.three_ds:
            outcome = outcomes.of(page.order.amount, "")
        return await self._payments.pay_on_page(page, page.order, card, outcome)

    async def hosted(self, request: Request) -> Response:
        """GET and POST /HostedPaymentPage/{id}"""
        page = self._pages.get(request.path_params["page_id"])
        if page is None or page.page != "hosted":
            return html.page("No such payment", html.wrong("This link is not known."), status=404)
        form = await _form(request)
        if isinstance(form, Response):
            return form
        if form is not None and form.get("decision") == "cancel":
            where = page.order.return_url.get("cancel_url") or page.order.return_url["decline_url"]
            return RedirectResponse(where, 303)
        closed = self._closed(page)
        if closed is not None:
            return closed
        if form is None:
            return self._hosted_page(request, page, "")
        read = _read(page, form)
        if isinstance(read, str):
            return self._hosted_page(request, page, read, status=400)
        return _back(page, await self._payments.pay_on_page(page, *read))

    async def decide_hosted(self, page: Page, *, pay: bool) -> Charge | str:
        """What a payer with the first test card does on the hosted page, or what is missing for that. The caller has
        seen that the page is open."""
        read = _read(page, {"card": next(iter(TEST_CARDS)), "decision": "pay" if pay else "decline"})
        return read if isinstance(read, str) else await self._payments.pay_on_page(page, *read)

    def open(self, page: Page) -> bool:
        """Whether it can still be paid."""
        return page.state == OPEN and not self._pages.expired(page)

    def _closed(self, page: Page) -> Response | None:
        if self.open(page):
            return None
        if page.state == PAID:
            return html.page("Already paid", html.facts(_facts(page, None)), status=409)
        return html.page("Too late", html.wrong("This link has expired, or is in use."), status=410)

    def _three_ds_form(self, request: Request, page: Page) -> str:
        card, _, _ = self._payments.card(page.order)
        buttons = (("approve", "Approve"), ("decline", "Decline"), ("abandon", "Abandon"))
        action = f"{request.url.path}?{request.url.query}"
        body = html.facts(_facts(page, card)) + html.form(action, "".join(html.button(*each) for each in buttons))
        return body if self.open(page) else html.wrong("This payment is settled or its link has expired.")

    def _hosted_page(self, request: Request, page: Page, wrong: str, status: int = 200) -> Response:
        cards = [
            ("", "another test card"),
            *((number, f"{number} ({scheme})") for number, scheme in TEST_CARDS.items()),
        ]
        cards = [*cards[1:], cards[0]]
        choices = [("", "as the amount says"), *((name, name) for name in OFFERED)]
        inside = "".join(
            [
                "" if page.order.amount else html.field("amount", "Amount", longest=10),
                "" if page.order.currency else html.field("currency", "Currency", longest=3),
                html.choice("card", "Test card", cards),
                html.field("number", "Its number, if another", longest=16),
                html.field("name", "Name on the card", "John Doe", longest=255),
                html.choice("outcome", "Outcome", choices),
                html.button("pay", "Pay"),
                html.button("decline", "Be declined"),
                html.button("cancel", "Cancel"),
            ]
        )
        title = "Pay and store your card" if page.order.store else "Pay"
        body = html.wrong(wrong) + html.facts(_facts(page, None)) + html.form(request.url.path, inside)
        return html.page(title, body, status=status, goes_to=_targets(page))


def _read(page: Page, form: Mapping[str, str]) -> tuple[Order, Card, Outcome] | str:
    """What the payer entered, or what is wrong with it; a card number is never repeated."""
    amount = page.order.amount or form.get("amount", "")
    currency = page.order.currency or form.get("currency", "")
    if not is_amount(amount):
        return "The amount is a number such as 1000."
    if not CURRENCY.match(currency):
        return "The currency has three letters."
    try:
        card = sample_card(form.get("card") or form.get("number", ""), form.get("name", "")[:255] or "John Doe")
    except KeyError:
        return "Only test cards are taken here."
    order = structs.replace(page.order, amount=amount, currency=currency)
    decision = form.get("decision", "pay")
    if decision not in {"pay", "decline"}:
        return "Pay, be declined, or cancel."
    if decision == "decline":
        return order, card, outcomes.PAYER_DECLINE
    chosen = outcomes.of_name(form["outcome"]) if form.get("outcome") else outcomes.of(amount, "")
    return (order, card, chosen) if chosen else "There is no such outcome."


async def _form(request: Request) -> dict[str, str] | Response | None:
    """The form that was posted; None where none was, an answer where it cannot be taken."""
    if request.method != "POST":
        return None
    origin = request.headers.get("origin")
    if origin is not None and origin != f"{request.url.scheme}://{request.url.netloc}":
        return html.page("Refused", html.wrong("This form belongs to another page."), status=403)
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > LONGEST_FORM:
                return html.page("Refused", html.wrong("The form is too long."), status=413)
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except (ValueError, ClientDisconnect):
        return html.page("Refused", html.wrong("The form cannot be read."), status=400)


def _facts(page: Page, card: Card | None) -> list[tuple[str, str]]:
    amount = f"{page.order.amount} {page.order.currency}".strip()
    rows = [("Merchant", page.order.merchant_id), ("Reference", page.order.reference), ("Amount", amount)]
    return [*rows, ("Card", card.number)] if card else rows


def _targets(page: Page) -> list[str]:
    return [page.order.return_url[name] for name in sorted(page.order.return_url) if name != "webhook_url"]


def _back(page: Page, charge: Charge) -> Response:
    """To the merchant; its URL says nothing that could be trusted."""
    where = page.order.return_url["decline_url" if charge.outcome == DECLINED else "success_url"]
    return RedirectResponse(where, 303)
