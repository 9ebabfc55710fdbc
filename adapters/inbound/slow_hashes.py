"""Hashes of API keys that were taken over from elsewhere: scrypt, tens of milliseconds and 16 MiB each.

A key that nobody knows costs a hash, whatever it is. What bounds that is one thread, which makes one at a time, and a
short queue in which one source has half of the places at most: a flood of wrong keys from one place leaves room for a
good key from another.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections import Counter

from adapters.inbound.problems import Problem, overloaded

N, R, P, HASH_BYTES = 16384, 8, 1, 32
# OpenSSL counts a little more than the 128 * N * r bytes that scrypt needs.
MEMORY = 2 * 128 * N * R
MOST_AT_ONCE = 16
MOST_OF_ONE_SOURCE = MOST_AT_ONCE // 2
KEPT = 1024


class SlowHashes:
    """Makes one hash at a time and remembers them. Wrong keys never displace what is known of good ones."""

    def __init__(self) -> None:
        # What is remembered goes by a fast hash that means nothing outside this process.
        self._process_key = secrets.token_bytes(32)
        self._good: dict[bytes, bytes] = {}
        self._others: dict[bytes, bytes] = {}
        self._being_made: dict[bytes, asyncio.Task[bytes]] = {}
        self._by_source: Counter[str] = Counter()
        self._one_at_a_time = asyncio.Lock()

    async def of(self, content: bytes, salt: bytes, source: str) -> bytes:
        """The hash of a key. Raises Problem (429) where too many other keys are ahead of it, or of its source's."""
        label = self._label(content, salt)
        known = self._good.get(label) or self._others.get(label)
        if known is not None:
            return known
        task = self._being_made.get(label)
        if task is None:
            if len(self._being_made) >= MOST_AT_ONCE or self._by_source[source] >= MOST_OF_ONE_SOURCE:
                raise Problem(overloaded(tsh=True))
            task = asyncio.create_task(self._make(label, content, salt))
            self._being_made[label] = task
            self._by_source[source] += 1
            task.add_done_callback(lambda _: self._made(label, source))
        return await asyncio.shield(task)

    def was_good(self, content: bytes, salt: bytes) -> None:
        """Says that the key is one of ours."""
        label = self._label(content, salt)
        known = self._others.pop(label, None)
        if known is not None:
            _put(self._good, label, known)

    def _made(self, label: bytes, source: str) -> None:
        del self._being_made[label]
        self._by_source[source] -= 1
        if not self._by_source[source]:
            del self._by_source[source]

    async def _make(self, label: bytes, content: bytes, salt: bytes) -> bytes:
        async with self._one_at_a_time:
            made = await asyncio.to_thread(_scrypt, content, salt)
        _put(self._others, label, made)
        return made

    def _label(self, content: bytes, salt: bytes) -> bytes:
        return hmac.digest(self._process_key, salt + content, "sha256")


def _put(held: dict[bytes, bytes], label: bytes, made: bytes) -> None:
    if len(held) >= KEPT:
        held.pop(next(iter(held)))
    held[label] = made


def _scrypt(content: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(content, salt=salt, n=N, r=R, p=P, maxmem=MEMORY, dklen=HASH_BYTES)
