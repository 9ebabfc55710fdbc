"""Tokens that are to be read again, within a transaction and outside of it."""

from collections.abc import Collection, Sequence
from typing import Protocol

from server.domain.tasks import Task
from server.domain.tokens import Token


class TokenRefreshes(Protocol):
    """The tasks that read tokens again: one for each token. Locked after the tokens."""

    def want(self, tasks: Sequence[Task]) -> None:
        """Makes the tasks; of those that are there the due time comes forward, and account and correlation id are the
        new ones."""

    def wake(self, account: str, now: int) -> None:
        """Makes all tasks of an account due, those that nobody was to be asked for too."""

    def forget(self, account: str) -> None:
        """Drops all tasks of an account: what is still to be read is planned anew for whichever account comes next."""

    def tokens_seen(self, names: Collection[str]) -> dict[str, Token]:
        """Tokens by name, unlocked."""

    def unplanned(self, merchant_gateway_ids: Collection[str], limit: int) -> list[Token]:
        """D1's tokens of these gateways that are to be read again and have no task, unlocked."""

    def under_way(self, now: int) -> dict[str, int]:
        """How many tokens are being read, by account."""


class TokenRefreshView(Protocol):
    """Reads outside of the writer, each a consistent one of its own."""

    def has_unplanned(self, merchant_gateway_ids: Collection[str]) -> bool:
        """Whether there is a token without a task."""

    def due_counts(self, merchant_gateway_ids: Collection[str]) -> dict[str, int]:
        """How many of D1's tokens are to be read again, by gateway; those without any are left out."""

    def problem_counts(self, merchant_gateway_ids: Collection[str]) -> dict[str, int]:
        """How many of them could not be read the last time, by gateway; those without any are left out."""
