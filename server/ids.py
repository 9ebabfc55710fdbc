"""New identifiers."""

import secrets
import threading
import uuid

RANDOM_BYTES = 8


class RandomIds:
    """Identifiers nobody can guess. Those of notifications sort in the order in which they were made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def notification_id(self, now: int) -> str:
        """26 hexadecimal digits: the microsecond, never the same one twice in a process, and a random part."""
        with self._lock:
            self._last = max(now, self._last + 1)
            return f"{self._last:014x}{secrets.token_hex(6)}"

    def first_notification_id(self, time: int) -> str:
        return f"{time:014x}"

    def replay_id(self, now: int) -> str:
        return self.notification_id(now)

    def access_id(self, now: int) -> str:
        return self.notification_id(now)

    def payment_id(self, now: int) -> str:
        """As of notifications: those of payments sort in the order in which they were made too."""
        return self.notification_id(now)

    def generation(self) -> str:
        """A new name for a history of events."""
        return secrets.token_hex(RANDOM_BYTES)

    def uuid(self) -> str:
        return str(uuid.uuid4())

    def roll(self) -> float:
        return secrets.randbelow(1_000_001) / 1_000_000

    def jwt_id(self) -> str:
        return secrets.token_urlsafe(16)

    def secret_id(self) -> str:
        return secrets.token_hex(RANDOM_BYTES)

    def core_id(self) -> str:
        """A new id for a running core."""
        return secrets.token_hex(RANDOM_BYTES)
