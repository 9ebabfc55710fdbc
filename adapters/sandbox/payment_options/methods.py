"""Stored payment methods, and the test cards: the only card numbers that the twin takes."""

import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from adapters.sandbox.payment_options import outcomes
from adapters.sandbox.payment_options.charges import Card

# The partner's sample cards, and two that are test cards everywhere.
TEST_CARDS = {
    "5200000000001005": "MASTERCARD",
    "4000000000001091": "MASTERCARD",
    "4000002500003155": "VISA",
    "4111111111111111": "VISA",
    "5555555555554444": "MASTERCARD",
}
THREE_DS_CARD = "4000002500003155"
# There from the start: the partner's own sample, and one that needs 3DS.
SAMPLE_METHOD = "094db781-fabc-4c6d-8fcd-18bee06a527a"
THREE_DS_METHOD = f"{outcomes.METHOD_PREFIX}{outcomes.THREE_DS_NUMBER:012d}"


class Method(Struct, rename="camel", frozen=True):
    """A stored payment method: `methodId` is the card token."""

    method_id: str
    card: Card
    three_ds: bool = False


def masked(number: str) -> str:
    """BIN, stars, last four."""
    return f"{number[:6]}{'*' * (len(number) - 10)}{number[-4:]}"


def sample_card(number: str, name: str = "John Doe", exp_month: str = "12", exp_year: str = "34") -> Card:
    """What is kept of a test card; its number ends here. Raises KeyError for every other number."""
    return Card(masked(number), TEST_CARDS[number], name, exp_month, exp_year)


def needs_three_ds(card: Card) -> bool:
    """Whether it is the 3DS sample card."""
    return card.number == masked(THREE_DS_CARD)


class Methods:
    """All stored payment methods."""

    def __init__(self) -> None:
        sample = sample_card("4000000000001091")
        self._methods = {SAMPLE_METHOD: Method(SAMPLE_METHOD, sample)}
        self._methods[THREE_DS_METHOD] = Method(THREE_DS_METHOD, sample_card(THREE_DS_CARD), three_ds=True)

    def get(self, method_id: str) -> Method | None:
        """The method; those whose id spells an outcome exist without being made."""
        found = self._methods.get(method_id.lower())
        if found is None and outcomes.of("", method_id) is not outcomes.APPROVAL:
            return Method(method_id, sample_card("4000000000001091"))
        return found

    def make(self, card: Card) -> Method:
        """A new method; the caller makes it durable before it shows the id, and adds it."""
        return Method(str(uuid.uuid4()), card, needs_three_ds(card))

    def add(self, method: Method) -> None:
        """From now on it can be used."""
        self._methods[method.method_id] = method

    def restore(self, document: dict[str, Any]) -> None:
        """A method from an earlier run."""
        self.add(msgspec.convert(document, Method))

    def __iter__(self) -> Iterator[Method]:
        return iter(self._methods.values())
