"""What the writer and those who read need from a cache."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from server.domain.bindings import Binding
from server.domain.tokens import Token


class Views(Protocol):
    """Tokens and bindings as they are, read at any speed. Who may see them is decided after it."""

    def token(self, name: str) -> Token | None: ...
    def binding(self, name: str) -> Binding | None: ...


class CachedKind(StrEnum):
    """What caches hold views of."""

    TOKEN = "token"
    BINDING = "binding"


Changed = Sequence[tuple[CachedKind, str]]


@dataclass(frozen=True, slots=True)
class CachePause:
    """What the database says of caches: the epoch of their keys, and for how many more seconds nobody may use them
    (0 or less: they may), when its clock showed `time`. It was `asked` then or before, on our monotonic clock."""

    epoch: int
    left: float
    time: int
    asked: float


class CacheMarker(Protocol):
    """Stands in the cache in place of what a commit changes."""

    @property
    def epoch(self) -> int | None:
        """Where it counts; None: everywhere."""


class CacheMarks(Protocol):
    """How the writer tells a cache what it is about to change, and that it is done. Nothing here raises."""

    @property
    def epoch(self) -> int:
        """The newest epoch that is known here."""

    def mark(self, epoch: int, changed: Changed) -> CacheMarker | None:
        """Keeps everybody from finding or storing these in the cache. None where that is not certain."""

    def release(self, marker: CacheMarker) -> bool:
        """Ends it, and removes whatever came in its place. False where that is not certain."""

    def paused_for(self, seconds: float) -> bool:
        """Whether a pause is in force, every core knows of it, and it lasts for so long still."""

    def observe(self, pause: CachePause) -> None:
        """Takes notice of a pause that was committed."""

    def settle(self) -> None:
        """Returns when every core knows of the pause that was observed."""


class CachePlace(Protocol):
    """Where a value is kept in a cache that others can read and write, and the seal that it has there."""

    @property
    def key(self) -> bytes: ...

    def seal(self, plaintext: bytes) -> bytes: ...

    def open(self, sealed: bytes) -> bytes | None:
        """The plaintext; None for everything that was not sealed for this place."""


class CachePlaces(Protocol):
    def place(self, *parts: bytes) -> CachePlace:
        """The place of these parts. Its key does not tell them."""
