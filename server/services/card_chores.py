"""The steward's look at cards that wait for a gateway: metrics, so that somebody notices when no gateway comes."""

from prometheus_client import Gauge

from server.services.card_house import CardHouse

SECOND = 1_000_000
WAITING = Gauge("mintmark_card_fingerprints_waiting", "Cards that wait for a gateway, or are leased to one.")
OLDEST = Gauge("mintmark_card_fingerprints_oldest_seconds", "How long the oldest of them has waited, in seconds.")


class CardsWaiting:
    """Counts, and has nothing to do."""

    name = "cards_waiting"

    def __init__(self, house: CardHouse, interval: float = 30.0) -> None:
        self.interval = interval
        self._house = house

    def wanted(self) -> bool:
        count, oldest = self._house.store.view.cards.waiting()
        WAITING.set(count)
        OLDEST.set(0 if oldest is None else max(0, self._house.now_outside() - oldest) / SECOND)
        return False

    def step(self) -> bool:
        return False
