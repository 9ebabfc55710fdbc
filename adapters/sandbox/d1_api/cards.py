"""The cards behind tokens, as D1 tells of them. A token that nobody has spoken of is there: its card is made of its
id."""

import hashlib
from typing import Annotated, Any

from msgspec import Meta, Struct, convert, structs

ACTIVE = "ACTIVE"
Digits = Annotated[str, Meta(pattern=r"^[0-9]{0,19}$")]
Expiry = Annotated[str, Meta(pattern=r"^((0[1-9]|1[0-2])[0-9]{2})?$")]


class CardChange(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What becomes of the card behind a token; what is not given stays."""

    token_state: Annotated[str, Meta(max_length=64)] | None = None
    card_bin: Digits | None = None
    card_last_digits: Digits | None = None
    card_expiry_date: Expiry | None = None
    token_last_digits: Digits | None = None
    token_expiry_date: Expiry | None = None
    payment_account_reference: Annotated[str, Meta(max_length=64)] | None = None


class Card(Struct, rename="camel"):
    """What D1 says of a token."""

    token_state: str
    card_bin: str
    card_last_digits: str
    card_expiry_date: str
    token_last_digits: str
    token_expiry_date: str
    payment_account_reference: str
    version: int = 1
    forgotten: bool = False


class Cards:
    """By gateway, merchant and token."""

    def __init__(self) -> None:
        self._cards: dict[tuple[str, str, str], Card] = {}

    def restore(self, place: list[str], card: dict[str, Any]) -> None:
        """A line of an earlier run."""
        self._cards[place[0], place[1], place[2]] = convert(card, Card)

    def get(self, place: tuple[str, str, str]) -> Card:
        """As it is now."""
        return self._cards.get(place) or _made(place)

    def changed(self, place: tuple[str, str, str], change: CardChange, *, forgotten: bool = False) -> Card:
        """As it will be; see `put`."""
        given = {name: value for name, value in structs.asdict(change).items() if value is not None}
        before = self.get(place)
        return structs.replace(before, **given, version=before.version + 1, forgotten=forgotten)

    def renewed(self, place: tuple[str, str, str]) -> CardChange:
        """Another card in place of the old one, as a renewal brings it."""
        before = self.get(place)
        last = f"{(int(before.card_last_digits or 0) + 1111) % 10_000:04}"
        year = int(before.card_expiry_date[2:] or 30) + 3
        return CardChange(
            card_last_digits=last, card_expiry_date=f"{before.card_expiry_date[:2] or '12'}{year % 100:02}"
        )

    def put(self, place: tuple[str, str, str], card: Card) -> None:
        """Remembers it."""
        self._cards[place] = card

    def __len__(self) -> int:
        return len(self._cards)


def _made(place: tuple[str, str, str]) -> Card:
    number = int.from_bytes(hashlib.sha256("/".join(place).encode()).digest()[:8], "big")
    return Card(
        token_state=ACTIVE,
        card_bin="453421",
        card_last_digits=f"{number % 10_000:04}",
        card_expiry_date=f"{number % 12 + 1:02}{28 + number % 5}",
        token_last_digits=f"{number // 10_000 % 10_000:04}",
        token_expiry_date=f"{number % 12 + 1:02}{33 + number % 5}",
        payment_account_reference=f"V{number:028}",
    )
