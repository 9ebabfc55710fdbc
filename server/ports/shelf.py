"""The rows of one resource type within a transaction."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Shelf(Protocol[T]):
    """The rows of one resource type within a transaction."""

    def get(self, name: str) -> T | None:
        """The resource, locked until the transaction ends."""

    def get_many(self, names: Sequence[str]) -> dict[str, T]:
        """Those of the resources that exist, by name, locked in the order of their names."""

    def all(self) -> list[T]:
        """Every one, in the order of the names; for small sets."""

    def insert(self, items: Sequence[T]) -> None:
        """Adds new ones. One that another transaction has added meanwhile makes the unit run again."""

    def update(self, items: Sequence[T]) -> None:
        """Saves changed ones."""

    def delete(self, names: Sequence[str]) -> None:
        """Removes them."""
