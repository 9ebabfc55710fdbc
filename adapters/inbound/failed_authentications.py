"""How often authentication may fail: so many times a minute for a client and a source.

What is valid has been let in before anybody counts: past the limit a failure is only told in another way, as 429 or
503 instead of 401, and costs nothing more. Sources are the other ends of TCP connections, never what a header says.
"""

import hashlib
import math
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

MINUTE = 60.0
# What a source may claim to be it can make up, a new client each time. All that it claims has this many limits.
CLAIMS = 10
# Failures that are remembered. Past it the oldest are forgotten, whoever's they were: at worst there are more 401s.
MOST_REMEMBERED = 16_384
PREFIX_BITS = 64
LOOPBACK, UNIX = "loopback", "unix"


@dataclass(frozen=True, slots=True)
class Claim:
    """Who it is that failed. `certain` where nobody can make it up: a signature, a key or a config of ours names it."""

    client: str
    certain: bool = False


class Window:
    """At most `limit` times in any minute, for each key. Remembers `most` times in all."""

    def __init__(self, limit: int, most: int = MOST_REMEMBERED) -> None:
        self._limit = limit
        self._most = most
        self._keys: deque[Hashable] = deque()
        self._times: dict[Hashable, list[float]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def wait(self, key: Hashable, now: float) -> float:
        """Seconds until there is room for one more; 0 where there is. `now` is monotonic and never goes back."""
        while self._keys and now - self._times[self._keys[0]][0] >= MINUTE:
            self._forget()
        times = self._times.get(key)
        if times is None or len(times) < self._limit:
            return 0.0
        return times[0] + MINUTE - now

    def add(self, key: Hashable, now: float) -> None:
        """Remembers one."""
        while len(self._keys) >= self._most:
            self._forget()
        self._keys.append(key)
        self._times.setdefault(key, []).append(now)

    def _forget(self) -> None:
        # Times rise, so that of a key the first is the oldest, and the keys are in the order of their times.
        key = self._keys.popleft()
        times = self._times[key]
        del times[0]
        if not times:
            del self._times[key]


class FailedAuthentications:
    """The failures of the last minute. Only those answered 401 count, so that who never stops gets one now and then."""

    def __init__(self, limit: int, monotonic: Callable[[], float], most: int = MOST_REMEMBERED) -> None:
        self._monotonic = monotonic
        self._clients = Window(limit, most)
        self._sources = Window(CLAIMS * limit, most)
        self._told = Window(1, most)

    def __len__(self) -> int:
        return len(self._clients) + len(self._sources) + len(self._told)

    def failed(self, address: str | None, claim: Claim | None) -> int:
        """One more has failed. Seconds to wait, rounded up, where it is past the limit; 0 where it is not."""
        now, whence = self._monotonic(), source(address)
        key = (whence, claim and (_digest(claim.client), claim.certain))
        made_up = claim is not None and not claim.certain
        wait = self._clients.wait(key, now)
        if made_up:
            wait = max(wait, self._sources.wait(whence, now))
        if wait > 0:
            return math.ceil(wait)
        self._clients.add(key, now)
        if made_up:
            self._sources.add(whence, now)
        return 0

    def is_news(self, address: str | None) -> bool:
        """Whether nobody was told within the last minute that this source is past the limit; now somebody is."""
        now, whence = self._monotonic(), source(address)
        if self._told.wait(whence, now) > 0:
            return False
        self._told.add(whence, now)
        return True


def source(address: str | None) -> str:
    """Whose address it is. Loopback and unix sockets are one source each; IPv6 counts by its first 64 bits, of which
    everybody has at least as many."""
    if not address:
        return UNIX
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found
    if found.is_loopback:
        return LOOPBACK
    if isinstance(found, IPv6Address):
        return f"{IPv6Address(int(found) >> PREFIX_BITS << PREFIX_BITS)}/{PREFIX_BITS}"
    return str(found)


def _digest(client: str) -> bytes:
    """As long for every name, and not what somebody typed, which may be a secret in the wrong place."""
    return hashlib.sha256(client.encode("utf-8", "surrogatepass")).digest()[:16]
