"""The SIBS twin put together."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.routing import BaseRoute, Route

from adapters.sandbox.clock import TwinClock
from adapters.sandbox.payment_options.background import Background
from adapters.sandbox.payment_options.journal import Journal, JournalBroken
from adapters.sandbox.sibs.access_tokens import AccessTokens
from adapters.sandbox.sibs.agenda import Agenda
from adapters.sandbox.sibs.api import Api
from adapters.sandbox.sibs.calendar import Calendar
from adapters.sandbox.sibs.configs import Configs
from adapters.sandbox.sibs.control import Control
from adapters.sandbox.sibs.credentials import ACQUIRER_ID, CLIENT_ID, CLIENT_SECRET, MERCHANT_ID, STATIC_ACCESS_TOKEN
from adapters.sandbox.sibs.deliveries import Deliveries
from adapters.sandbox.sibs.faults import Faults
from adapters.sandbox.sibs.habits import Habits, changed
from adapters.sandbox.sibs.notifications import Notifications
from adapters.sandbox.sibs.received import Calls
from adapters.sandbox.sibs.routes import PREFIX
from adapters.sandbox.sibs.rules import Rules
from adapters.sandbox.sibs.transactions import Transactions
from adapters.settings import Settings

ANY = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class SibsTwin:
    """One acquirer with any number of merchants. Its state is files in its folder: it can be killed at any moment."""

    def __init__(self, settings: Settings, clock: TwinClock, wall: Callable[[], float]) -> None:
        def now() -> datetime:
            return datetime.fromtimestamp(wall(), UTC)

        folder = settings.data_dir / "sandbox" / "sibs"
        self.habits = Habits()
        self.background = Background()
        self.calendar = Calendar(clock)
        # What was told and answered, without keys; and what is kept besides, with the configs' keys.
        self.ledger = Journal(folder / "ledger.jsonl")
        self.journal = Journal(folder / "state.jsonl")
        self.calls = Calls(folder / "requests.jsonl", now)
        self.configs = Configs(self.journal)
        self.access_tokens = AccessTokens(self.journal, wall)
        self.faults = Faults()
        self.rules = Rules()
        self.notifications = Notifications(self.configs, self.rules, self.calendar, now)
        self.transactions = Transactions(self.notifications, self.ledger, self.calendar, now, lambda: self.habits)
        self.deliveries = Deliveries(
            self.notifications,
            self.configs,
            self.ledger,
            self.calendar,
            self.background,
            settings.sandbox_webhook_host_names,
            now,
            lambda: self.habits,
        )
        self.agenda = Agenda(self.calendar, self.ledger, self.transactions, self.deliveries, self.background)
        self._restore()
        self.control = Control(self)

    def routes(self) -> list[BaseRoute]:
        """What callers reach: the control API first, then everything else below the prefix."""
        api = Api(self.configs, self.access_tokens, self.transactions, self.faults, self.calls, lambda: self.habits)
        return [*self.control.routes(), Route(f"{PREFIX}/{{path:path}}", api.__call__, methods=ANY)]

    async def start(self) -> None:
        """Goes on where an earlier run ended."""
        self.agenda.start()

    async def close(self) -> None:
        """Ends what is going on; what is durable stays."""
        self.faults.release()
        await self.background.close()
        await self.deliveries.close()
        # A file that cannot be written has said so already.
        with suppress(JournalBroken):
            await self.ledger.append({"time": self.calendar.now})
        await self.ledger.close()
        await self.journal.close()
        self.calls.close()

    async def change_habits(self, changes: dict[str, Any]) -> None:
        """Raises ControlInvalid, JournalBroken; then nothing is changed."""
        habits = changed(self.habits, changes)
        await self.journal.append({"habits": habits})
        self.habits = habits

    def document(self) -> dict[str, Any]:
        """How it is, and how it is reached."""
        return {
            "path": PREFIX,
            "clientId": CLIENT_ID,
            "clientSecret": CLIENT_SECRET,
            "accessToken": STATIC_ACCESS_TOKEN,
            "acquirerId": ACQUIRER_ID,
            "merchantId": MERCHANT_ID,
            "time": self.calendar.now,
            "configs": len(self.configs.live()),
            "transactions": len(self.transactions.all()),
            **self.notifications.document(),
            "accessTokens": self.access_tokens.document(),
            "faults": len(self.faults.document()["faults"]),
            "rules": len(self.rules.document()["rules"]),
            "habits": msgspec.to_builtins(self.habits),
            "ledger": str(self.ledger.path),
        }

    def _restore(self) -> None:
        for document in self.journal.documents():
            if "config" in document:
                self.configs.restore(document["config"])
            elif "accessToken" in document:
                self.access_tokens.restore(document["accessToken"])
            elif "habits" in document:
                self.habits = changed(Habits(), document["habits"])
        for document in self.ledger.documents():
            if "time" in document:
                self.calendar.leap_to(document["time"])
                continue
            if "try" in document:
                self.calendar.leap_to(document["try"]["at"])
                self.notifications.restore_try(document["try"])
                continue
            change = document["change"]
            self.calendar.leap_to(change["at"])
            if change["transaction"] is not None:
                self.transactions.restore(change["transaction"])
            self.notifications.restore(change["notifications"])
