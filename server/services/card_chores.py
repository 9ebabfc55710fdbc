"""The steward's look at cards that wait for a gateway, and at those under former keys: metrics, so that somebody
notices when no gateway comes, and sees when a rotation is done."""

from prometheus_client import Gauge

from server.services.card_house import CardHouse

SECOND = 1_000_000
WAITING = Gauge("mintmark_card_fingerprints_waiting", "Cards that wait for a gateway, or are leased to one.")
OLDEST = Gauge("mintmark_card_fingerprints_oldest_seconds", "How long the oldest of them has waited, in seconds.")

FORMER = Gauge(
    "mintmark_cards_under_former_keys",
    "Cards under another key than the current one, by what the key is for: encryption or hashing.",
    ("use",),
)


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
        current = self._house.current_outside(self._house.now_outside())
        # While no gateway says which keys are current, none is a former one.
        former = self._house.store.view.cards.under_former_keys(current) if current.card_key_id else (0, 0)
        for use, cards in zip(("encryption", "hashing"), former, strict=True):
            FORMER.labels(use).set(cards)
        return False

    def step(self) -> bool:
        return False
