"""Reads of consumers, outside of the writer."""

from typing import Protocol

from server.domain.consumers import Consumer
from server.domain.queries import ConsumerQuery, Page


class ConsumerView(Protocol):
    """Each call a consistent read of its own."""

    def get(self, name: str) -> Consumer | None: ...
    def page(self, query: ConsumerQuery, page: Page) -> list[Consumer]:
        """In the order of their names."""
