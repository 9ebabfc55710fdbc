"""Clocks, ids, what the core does by itself, and what it watches or hands out."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from server.domain.events import Event
from server.domain.notifications import Notification
from server.domain.retention import Pin


class Chore(Protocol):
    """Something that a core does by itself from time to time, in steps that may be repeated."""

    @property
    def name(self) -> str: ...

    @property
    def interval(self) -> float:
        """Seconds between two looks whether there is something to do."""

    def wanted(self) -> bool:
        """Whether there is something to do now; a cheap look that every core takes."""

    def step(self) -> bool:
        """Does a small piece of it, in well under a lease's time; whether there may be more to do at once."""


class Clock(Protocol):
    def now(self) -> int:
        """Microseconds since the epoch, UTC."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""

    def offset(self) -> int:
        """Microseconds that are added to every clock, in development only."""


class HighWater(Protocol):
    """How far this history of events is known to have come, kept outside of the database."""

    def reach(self) -> None:
        """Keeps where the history is now, durably, before anybody outside hears of it.

        Raises StoreUnavailable, also where the history has fallen behind what is kept."""


class Ids(Protocol):
    def payment_id(self, now: int) -> str:
        """A new id of letters and digits; later ones sort after earlier ones."""

    def uuid(self) -> str:
        """A new UUID, version 4."""

    def roll(self) -> float:
        """Any number from 0 to 1."""

    def notification_id(self, now: int) -> str:
        """A new id; later ones sort after earlier ones."""

    def first_notification_id(self, time: int) -> str:
        """What sorts after every id made before `time`, and before all others."""

    def access_id(self, now: int) -> str:
        """A new id for an access to card data; later ones sort after earlier ones."""

    def replay_id(self, now: int) -> str:
        """A new id for a replay; later ones sort after earlier ones."""

    def jwt_id(self) -> str:
        """A new id for an access token."""

    def secret_id(self) -> str:
        """A new id for a client's secret."""

    def core_id(self) -> str:
        """A new id for a running core."""


class Feed(Protocol):
    """The newest events, for those who follow them."""

    @property
    def head(self) -> int:
        """The sequence of the newest event that was read."""

    def wait(self, after: int, timeout: float, stopped: Callable[[], bool]) -> bool:
        """Waits until there is an event after `after` or the time is up or `stopped`; whether there is one."""

    def events(self, after: int, limit: int) -> list[Event]:
        """Events after `after` in order: from memory where possible, else from the store."""

    def wake(self) -> None:
        """Makes everybody who waits look again."""


class Pins(Protocol):
    """Who still needs which events."""

    def pins(self) -> Sequence[Pin]:
        """Every subscription. Raises StoreUnavailable."""


class Export(Protocol):
    """Where rows are written before they are removed: durable when a call returns. Raises OSError.

    A crash between an export and the removal lets the same rows be exported again.
    """

    def check(self) -> None:
        """Raises OSError where nothing could be exported now."""

    def events(self, events: Sequence[Event]) -> None: ...

    def notifications(self, notifications: Sequence[Notification]) -> Sequence[Notification]:
        """Those that were exported: one whose body cannot be opened is left out, and has to stay."""


class Archive(Protocol):
    """A place for files that are written once."""

    def check(self) -> None:
        """Raises OSError where nothing could be written now."""

    def write(self, name: str, lines: Iterable[str]) -> None:
        """Writes a file of lines, whole and durable when this returns. Raises OSError, and then there is none."""
