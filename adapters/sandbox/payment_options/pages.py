"""The pages that a payer sees: 3DS, and the hosted payment page. Each is one link for one payment."""

import secrets
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Struct

from adapters.sandbox.clock import TwinClock
from adapters.sandbox.payment_options.charges import DECLINED, Charge, Order
from adapters.sandbox.payment_options.journal import Journal

# As long as the token in the partner's sample lives.
LIFETIME = 1800.0
# TRYING while an outcome is being written.
OPEN, TRYING, PAID = "OPEN", "TRYING", "PAID"


class Page(Struct, rename="camel"):
    """A link. A declined try leaves it open."""

    page_id: str
    page: Literal["three-ds", "hosted"]
    # The kind of charge that it makes.
    kind: str
    order: Order
    # Unix seconds by the twin's wall clock.
    expire_time: float
    # The fault of the call that made the link.
    fault: str = ""
    state: str = OPEN
    transaction_ids: list[str] = []


class Pages:
    """Every link that was given out."""

    def __init__(self, journal: Journal, clock: TwinClock, wall: Callable[[], float]) -> None:
        self._journal = journal
        self._clock = clock
        self._wall = wall
        self._pages: dict[str, Page] = {}

    def restore(self, document: dict[str, Any]) -> None:
        """A page from an earlier run."""
        page = msgspec.convert(document, Page)
        self._pages[page.page_id] = page

    def tried(self, charge: Charge) -> None:
        """What the ledger of an earlier run knows of a page, which may be more than the page's own line says."""
        page = self._pages.get(charge.page_id)
        if page is None:
            return
        if charge.transaction_id not in page.transaction_ids:
            page.transaction_ids.append(charge.transaction_id)
        if charge.outcome != DECLINED:
            page.state = PAID

    async def open(self, page: Literal["three-ds", "hosted"], kind: str, order: Order, fault: str = "") -> Page:
        """A new link; durable on return."""
        made = Page(secrets.token_urlsafe(24), page, kind, order, self._wall() + LIFETIME / self._clock.speed, fault)
        self._pages[made.page_id] = made
        await self.keep(made)
        return made

    async def keep(self, page: Page) -> None:
        """Writes the page as it is now; durable on return."""
        await self._journal.append({"page": msgspec.to_builtins(page)})

    def get(self, page_id: str) -> Page | None:
        """The page; None for a link that was never given out."""
        return self._pages.get(page_id)

    def find(self, text: str) -> Page | None:
        """The page with this id, or the newest for this reference."""
        named = [page for page in self._pages.values() if page.order.reference == text]
        return self._pages.get(text) or (named[-1] if named else None)

    def expired(self, page: Page) -> bool:
        """Whether the link has ended without a payment."""
        return page.state == OPEN and self._wall() > page.expire_time

    def documents(self) -> list[dict[str, Any]]:
        """All of them, for people."""
        return [
            {
                "pageId": page.page_id,
                "page": page.page,
                "state": "EXPIRED" if self.expired(page) else page.state,
                "reference": page.order.reference,
                "amount": page.order.amount,
                "currency": page.order.currency,
                "transactionIds": page.transaction_ids,
            }
            for page in self._pages.values()
        ]
