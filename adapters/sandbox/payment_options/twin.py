"""The PaymentOptions twin put together."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route

from adapters.sandbox.clock import TwinClock
from adapters.sandbox.payment_options.api import PREFIX, Api
from adapters.sandbox.payment_options.background import Background
from adapters.sandbox.payment_options.bank import Bank
from adapters.sandbox.payment_options.checkout import Checkout
from adapters.sandbox.payment_options.control import Control
from adapters.sandbox.payment_options.credentials import ensure
from adapters.sandbox.payment_options.faults import Faults
from adapters.sandbox.payment_options.journal import Journal
from adapters.sandbox.payment_options.listener import Listener
from adapters.sandbox.payment_options.methods import Methods
from adapters.sandbox.payment_options.pages import Pages
from adapters.sandbox.payment_options.payments import Payments
from adapters.sandbox.payment_options.received import Requests
from adapters.sandbox.payment_options.subscriptions import Subscriptions
from adapters.sandbox.payment_options.webhooks import Webhooks
from adapters.settings import Settings

ANY = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class PaymentOptionsTwin:
    """One partner with one merchant. Its state is the files in its folder: it can be killed at any moment."""

    def __init__(
        self, settings: Settings, clock: TwinClock, wall: Callable[[], float], middleware: list[Middleware]
    ) -> None:
        """Raises SettingsInvalid where the file of credentials is no such file."""

        def now() -> datetime:
            return datetime.fromtimestamp(wall(), UTC)

        folder = settings.data_dir / "sandbox" / "payment-options"
        self.credentials = ensure(settings.sandbox_payment_options)
        self.background = Background()
        self.ledger = Journal(folder / "ledger.jsonl")
        self.journal = Journal(folder / "state.jsonl")
        self.requests = Requests(folder / "requests.jsonl", now)
        self.bank = Bank(self.ledger, now)
        self.methods = Methods()
        self.faults = Faults()
        self.webhooks = Webhooks(settings.sandbox_webhook_host_names, clock, self.background, now)
        self.pages = Pages(self.journal, clock, wall)
        self.payments = Payments(
            self.bank, self.methods, self.journal, self.pages, self.webhooks, clock, self.background
        )
        self.subscriptions = Subscriptions(self.payments, self.journal, self.webhooks, clock, self.background, now)
        self.checkout = Checkout(self.payments, self.pages)
        self._restore()
        address = settings.sandbox_payment_options_address
        self.listener = Listener(address, Starlette(routes=self.routes(), middleware=middleware)) if address else None
        self.control = Control(self)

    def routes(self) -> list[BaseRoute]:
        """What merchants and payers reach."""
        api = Api(
            self.credentials,
            self.payments,
            self.pages,
            self.subscriptions,
            self.webhooks,
            self.faults,
            self.requests,
        )
        return [
            Route(f"{PREFIX}/api/{{path:path}}", api.__call__, methods=ANY),
            Route(f"{PREFIX}/integration/3ds", self.checkout.three_ds, methods=["GET", "POST"]),
            Route(f"{PREFIX}/HostedPaymentPage/{{page_id}}", self.checkout.hosted, methods=["GET", "POST"]),
        ]

    async def start(self) -> None:
        """Goes on where an earlier run ended, and opens the listener of its own. Raises AddressUnusable."""
        self.payments.start()
        self.subscriptions.start()
        if self.listener is not None:
            await self.listener.open()

    async def close(self) -> None:
        """Ends what is going on; what is durable stays."""
        self.faults.release()
        if self.listener is not None:
            await self.listener.close()
        await self.background.close()
        await self.webhooks.close()
        await self.ledger.close()
        await self.journal.close()
        self.requests.close()

    def document(self) -> dict[str, Any]:
        """How it is."""
        listener = self.listener
        return {
            "merchantId": self.credentials.merchant_id,
            "ledger": str(self.ledger.path),
            "transactions": len(self.bank.transactions),
            "moved": sum(charge.moved for charge in self.bank.transactions.values()),
            "faults": self.faults.document(),
            "listener": {"address": listener.address, "open": listener.is_open} if listener else None,
        }

    def _restore(self) -> None:
        for document in self.journal.documents():
            if "method" in document:
                self.methods.restore(document["method"])
            elif "page" in document:
                self.pages.restore(document["page"])
            elif "subscription" in document:
                self.subscriptions.restore(document["subscription"])
        for charge in self.bank.of_pages():
            self.pages.tried(charge)
