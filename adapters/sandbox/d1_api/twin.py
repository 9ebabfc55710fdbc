"""The twin of D1's own API put together."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from starlette.routing import BaseRoute

from adapters.sandbox import d1
from adapters.sandbox.d1_api.api import DETAILS_PATH, TOKEN_PATH, Api
from adapters.sandbox.d1_api.assertions import Assertions, GivenKey
from adapters.sandbox.d1_api.cards import Card, CardChange, Cards
from adapters.sandbox.d1_api.control import Control
from adapters.sandbox.d1_api.faults import Faults
from adapters.sandbox.notifications import Notification
from adapters.sandbox.payment_options.journal import Journal

Place = tuple[str, str, str]


class D1ApiTwin:
    """D1 as it is called. The keys that it was given and the cards that were changed outlive a restart. `notify` sends
    a notification as D1 would, and tells what became of it."""

    def __init__(
        self, folder: Path, wall: Callable[[], float], notify: Callable[[Notification], Awaitable[list[dict[str, Any]]]]
    ) -> None:
        self.journal = Journal(folder / "state.jsonl")
        self.assertions = Assertions(wall)
        self.cards = Cards()
        self.faults = Faults()
        self.api = Api(self.assertions, self.cards, self.faults, wall)
        self.control = Control(self)
        self._notify = notify
        for document in self.journal.documents():
            if "key" in document:
                self.assertions.give(msgspec.convert(document["key"], GivenKey))
            else:
                self.cards.restore(document["place"], document["card"])

    def routes(self) -> list[BaseRoute]:
        """What callers reach, and the control API."""
        return [*self.control.routes(), *self.api.routes()]

    async def close(self) -> None:
        """Ends what hangs; what is durable stays."""
        self.faults.clear()
        await self.journal.close()

    async def give_key(self, given: GivenKey) -> None:
        """Raises ControlInvalid, JournalBroken."""
        self.assertions.give(given)
        await self.journal.append({"key": given})

    async def change_card(
        self, place: Place, change: CardChange, *, notify: bool, update_type: str
    ) -> tuple[Card, list[dict[str, Any]]]:
        """Changes the card behind a token, and says so as D1 does; what became of the notification. Raises
        JournalBroken."""
        chosen = self.cards.renewed(place) if change == CardChange() else change
        card = await self._keep(place, self.cards.changed(place, chosen))
        if not notify:
            return card, []
        gateway, merchant, token = place
        return card, await self._notify(d1.token_update(gateway, merchant, token, update_type))

    async def forget(self, place: Place) -> Card:
        """D1 knows the token no more, until its card is changed. Raises JournalBroken."""
        return await self._keep(place, self.cards.changed(place, CardChange(), forgotten=True))

    def document(self) -> dict[str, Any]:
        """How it is, and how it is reached."""
        return {
            "tokenPath": TOKEN_PATH,
            "detailsPath": DETAILS_PATH,
            "keys": self.assertions.document(),
            "changedCards": len(self.cards),
            "accessTokensIssued": self.api.issued_count,
            "faults": self.faults.document(),
            "habits": msgspec.to_builtins(self.api.habits),
        }

    async def _keep(self, place: Place, card: Card) -> Card:
        await self.journal.append({"place": place, "card": card})
        self.cards.put(place, card)
        return card
