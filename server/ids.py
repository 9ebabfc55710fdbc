"""New identifiers."""

import secrets
import threading

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

    def jwt_id(self) -> str:
        return secrets.token_urlsafe(16)

    def secret_id(self) -> str:
        return secrets.token_hex(RANDOM_BYTES)

    def core_id(self) -> str:
        """A new id for a running core."""
        return secrets.token_hex(RANDOM_BYTES)
