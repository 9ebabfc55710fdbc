"""Reads of what D1 tells card issuers, outside of the writer."""

from typing import Protocol

from server.domain.digital_cards import DigitalCard
from server.domain.issuer_operations import IssuerOperation
from server.domain.queries import DigitalCardQuery, IssuerOperationQuery, Page


class IssuerView(Protocol):
    """Each call a consistent read of its own; pages are in the order of names."""

    def operation(self, name: str) -> IssuerOperation | None: ...
    def operations(self, query: IssuerOperationQuery, page: Page) -> list[IssuerOperation]: ...
    def digital_card(self, name: str) -> DigitalCard | None: ...
    def digital_cards(self, query: DigitalCardQuery, page: Page) -> list[DigitalCard]: ...
