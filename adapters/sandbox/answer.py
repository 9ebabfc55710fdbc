"""What one attempt of a twin brought."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """What an attempt brought: the status, or None and what happened instead."""

    status: int | None
    error: str = ""

    @property
    def acknowledged(self) -> bool:
        """Whether the receiver has taken the notification."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def retryable(self) -> bool:
        """Whether the partner sends it again by itself: 429, 5xx, a time-out, a broken connection."""
        return self.status is None or self.status in (408, 429) or self.status >= 500
