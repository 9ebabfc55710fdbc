"""The picture of everybody who may speak to us, kept in memory and brought up to date when it changes."""

import threading
from collections.abc import Sequence

from server.domain import events, principals
from server.domain.events import Event
from server.domain.principals import Principals
from server.domain.queries import Page
from server.ports import Clock, Store, View

ALL_AT_ONCE = 1000
# A change must hold everywhere within 5 s, whatever becomes of the feed.
SILENCE_S = 3.0


class Directory:
    """The principals as they are. After a change by this process the next look sees it; after one by another core, once
    the feed has brought its event, or by itself where the feed has been silent for too long."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._view: View = store.view
        self._clock = clock
        self._changed = threading.Condition()
        self._loading = threading.Lock()
        self._wanted = 1
        self._loaded = 0
        self._heard = clock.monotonic()
        self._principals = Principals()

    @property
    def principals(self) -> Principals:
        """Raises StoreUnavailable where they must be read and cannot be."""
        if self._current():
            return self._principals
        # Nobody else waits while they are read: the writer's thread tells of changes.
        with self._loading:
            if self._current():
                return self._principals
            wanted, began = self._wanted, self._clock.monotonic()
            loaded = self._load()
            with self._changed:
                self._principals, self._loaded, self._heard = loaded, wanted, max(self._heard, began)
            return loaded

    def _current(self) -> bool:
        with self._changed:
            return self._loaded == self._wanted and self._clock.monotonic() - self._heard <= SILENCE_S

    def heard(self) -> None:
        """The feed has asked for new events: whatever there was of them has been told."""
        self._heard = self._clock.monotonic()

    def missed(self) -> None:
        """Events have passed that nobody can tell any more: the picture is read again."""
        with self._changed:
            self._wanted += 1
            self._changed.notify_all()

    def saw(self, committed: Sequence[Event]) -> None:
        """Takes note of events: where one of them concerns principals, the picture is read again."""
        if any(event.kind in events.OF_PRINCIPALS for event in committed):
            self.missed()

    def wait(self, seen: Principals, timeout: float) -> Principals:
        """The picture, once it is another than the one seen or the time is up."""
        with self._changed:
            if self._loaded == self._wanted and self._principals is seen:
                self._changed.wait(timeout)
        return self.principals

    def _load(self) -> Principals:
        view = self._view
        clients, keys, accounts = [], [], []
        after = ""
        while page := view.clients(Page(after, ALL_AT_ONCE)):
            clients += page
            after = page[-1].name
        after = ""
        while found := view.api_keys(Page(after, ALL_AT_ONCE)):
            keys += found
            after = found[-1].name
        after = ""
        while held := view.accounts(Page(after, ALL_AT_ONCE)):
            accounts += held
            after = held[-1].name
        return principals.picture(clients, keys, accounts, view.revoked_access_tokens(self._clock.now()))
