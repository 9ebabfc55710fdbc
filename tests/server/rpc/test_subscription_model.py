"""Any interleaving of pullers, acknowledgements, leases, seeks, filters and events keeps what subscriptions promise."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import hypothesis.strategies as st
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from mintmark.v1 import events_pb2
from mintmark.v1 import subscriptions_pb2 as pb

from server.keys import keyring
from tests.server.rpc.running import RunningCore, Session, code_of, request_id, running_core
from tests.server.rpc.subscribing import (
    SCOPES,
    acknowledge,
    another_core,
    extend,
    get,
    happen,
    listed,
    pull,
    seek,
    subscribe,
)
from tests.waiting import eventually

TOKENS = ("t-0", "t-1", "t-2")
# Leases end between two steps of the clock, whatever time the machine takes meanwhile.
LEASE = 40
LONG_LEASE = 120
STEP = 45
FILTERS: tuple[dict[str, Any], ...] = ({}, {"kinds": [events_pb2.EVENT_KIND_TOKEN_DISABLED]})
# As often as they should come.
ACTIONS = (
    *("something_happens",) * 5,
    *("somebody_pulls",) * 9,
    *("somebody_acknowledges",) * 8,
    *("somebody_is_done",) * 3,
    *("somebody_extends",) * 8,
    *("somebody_gives_back",) * 5,
    *("time_passes",) * 4,
    "the_filter_changes",
    "it_begins_again",
)


@dataclass
class Known:
    """An event as the model knows it. `sure`: every filter since it happened, or since the last seek, shows it."""

    sequence: int
    resource: str
    kind: int
    sure: bool = True
    count: int = 0
    lease_end: int = 0
    done: bool = False


@dataclass
class Model:
    """What has happened, and what became of it."""

    now: int = 0
    filter: int = 0
    events: dict[int, Known] = field(default_factory=dict)

    def passes(self, event: Known) -> bool:
        kinds = FILTERS[self.filter].get("kinds")
        return not kinds or event.kind in kinds

    def leased(self, resource: str) -> list[Known]:
        return [each for each in self.of(resource) if each.lease_end > self.now]

    def of(self, resource: str) -> list[Known]:
        return [each for each in self.events.values() if each.resource == resource and not each.done]

    def held(self) -> list[Known]:
        """What was handed out and not acknowledged."""
        return [each for each in self.events.values() if each.count and not each.done]

    def free(self) -> list[Known]:
        """What must be handed out, if everything that can be is asked for."""
        return [each for each in self.events.values() if not each.done and each.sure and not self.leased(each.resource)]

    def handed_out(self, events: list[pb.PulledEvent]) -> None:
        held = {each.event.resource: self.leased(each.event.resource) for each in events}
        for each in events:
            event = self.events[each.event.sequence]
            assert not event.done, "handed out after it was acknowledged"
            assert self.passes(event)
            assert not held[event.resource], "an event of this resource is with somebody"
            earlier = [other for other in self.of(event.resource) if other.sequence < event.sequence and other.sure]
            assert all(other.lease_end > self.now for other in earlier), "an earlier event of the resource was skipped"
            event.count += 1
            assert each.delivery_count == event.count
            event.lease_end = self.now + LEASE

    def expected(self, sequences: set[int]) -> str | None:
        """What an acknowledgement ends with; None where that depends on what a filter has left out."""
        named = [self.events[sequence] for sequence in sorted(sequences)]
        for event in named:
            if not event.done and not event.count:
                return "FAILED_PRECONDITION" if event.sure else None
            gap = [each for each in self.of(event.resource) if each.sequence < event.sequence]
            gap = [each for each in gap if each.sequence not in sequences]
            if not event.done and gap:
                return "FAILED_PRECONDITION" if all(each.sure and event.sure for each in gap) else None
        return "OK"


def is_known(session: Session) -> bool:
    return code_of(lambda: listed(session)) == "OK"


class Subscribing(RuleBasedStateMachine):
    """Several pullers of one subscription, on cores that all runs share."""

    core: RunningCore
    addresses: tuple[str, ...]
    runs = 0

    @initialize()
    def begin(self) -> None:
        type(self).runs += 1
        self.place = f"MGW_{self.runs:06}"
        made = self.core.create(SCOPES, [self.place])
        self.credentials = made.client.client_id, made.client_secret
        self.channels = [grpc.insecure_channel(address) for address in self.addresses]
        self._log_in()
        for session in self.sessions:
            # A core learns of a client that another one has created in a moment.
            eventually(partial(is_known, session), what="the client on each core")
        self.start = self.core.admin.head()
        self.name = subscribe(self.sessions[0], self.start, LEASE)
        self.model = Model()

    def _log_in(self) -> None:
        token = self.core.session(*self.credentials).metadata
        self.sessions = [Session(channel, token) for channel in self.channels]

    @rule(what=st.sampled_from(ACTIONS), data=st.data())
    def next(self, what: str, data: st.DataObject) -> None:
        """One rule for all, so that each is tried as often as it should."""
        getattr(self, what)(data)

    def _session(self, data: st.DataObject) -> Session:
        return data.draw(st.sampled_from(self.sessions))

    def something_happens(self, data: st.DataObject) -> None:
        tokens = data.draw(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=4))
        before = self.core.admin.head()
        happen(self.core, self.place, *tokens)
        for event in self.core.admin.events_after(before, merchant_gateway_id=self.place):
            known = Known(event.sequence, event.resource, event.kind)
            known.sure = self.model.passes(known)
            self.model.events[event.sequence] = known

    def somebody_pulls(self, data: st.DataObject) -> None:
        most = data.draw(st.sampled_from([1, 2, 3, 5, 100]))
        free = self.model.free()
        answer = pull(self._session(data), self.name, most)
        assert len(answer.events) <= most
        self.model.handed_out(list(answer.events))
        if len(answer.events) < most:
            assert {each.sequence for each in free} <= {each.event.sequence for each in answer.events}

    def somebody_acknowledges(self, data: st.DataObject) -> None:
        """Without looking at the order; sometimes even what nobody was handed."""
        known = [each.sequence for each in self.model.held()]
        any_: bool = data.draw(st.booleans())
        known = sorted(self.model.events) if any_ or not known else known
        if known:
            sequences = data.draw(st.sets(st.sampled_from(known), min_size=1, max_size=4))
            self._acknowledge(self._session(data), sequences)

    def somebody_is_done(self, data: st.DataObject) -> None:
        """As pullers do it: the oldest first."""
        held = self.model.held()[: data.draw(st.integers(1, 5))]
        if held:
            self._acknowledge(self._session(data), {each.sequence for each in held})

    def _acknowledge(self, session: Session, sequences: set[int]) -> None:
        expected = self.model.expected(sequences)
        code = code_of(lambda: acknowledge(session, self.name, *sequences))
        assert expected in (None, code)
        if code == "OK":
            for sequence in sequences:
                self.model.events[sequence].done = True
                self.model.events[sequence].lease_end = 0

    def somebody_extends(self, data: st.DataObject) -> None:
        held = self.model.held()
        if not held:
            return
        stale = data.draw(st.sampled_from([0, 0, -1, 1]))
        chosen = data.draw(st.sets(st.sampled_from([each.sequence for each in held]), min_size=1, max_size=4))
        counts = {sequence: self.model.events[sequence].count + stale for sequence in chosen}
        counts = {sequence: count for sequence, count in counts.items() if count}
        if not counts:
            return
        lost = set(extend(self._session(data), self.name, list(counts.items()), LONG_LEASE))
        for sequence in counts:
            event = self.model.events[sequence]
            before = [each for each in self.model.of(event.resource) if each.sequence < sequence]
            whole = not stale and all(each.sequence in counts for each in before)
            if event.sure and all(each.sure for each in before):
                assert (sequence in lost) is not whole
            if sequence not in lost:
                event.lease_end = max(event.lease_end, self.model.now + LONG_LEASE)

    def somebody_gives_back(self, data: st.DataObject) -> None:
        held = self.model.held()
        if not held:
            return
        event = data.draw(st.sampled_from(held))
        count = event.count + data.draw(st.sampled_from([0, 0, -1, 1]))
        if not count:
            return
        lost = extend(self._session(data), self.name, [(event.sequence, count)], 0)
        if count != event.count:
            assert lost == [event.sequence]
        elif event.sure:
            assert lost == []
        if not lost:
            for each in self.model.of(event.resource):
                if each.sequence >= event.sequence:
                    each.lease_end = 0

    def time_passes(self, _data: st.DataObject) -> None:
        self.core.advance(STEP)
        self.model.now += STEP
        self._log_in()

    def the_filter_changes(self, data: st.DataObject) -> None:
        to = data.draw(st.integers(0, len(FILTERS) - 1))
        wanted = pb.Subscription(name=self.name, filter=events_pb2.EventFilter(**FILTERS[to]))
        request = pb.UpdateSubscriptionRequest(
            request_id=request_id(), subscription=wanted, update_mask=FieldMask(paths=["filter"])
        )
        self._session(data).subscriptions.UpdateSubscription(request)
        self.model.filter = to
        for event in self.model.events.values():
            event.sure = event.sure and self.model.passes(event)

    def it_begins_again(self, data: st.DataObject) -> None:
        seek(self._session(data), self.name, self.start)
        for event in self.model.events.values():
            event.sure, event.count, event.lease_end, event.done = self.model.passes(event), 0, 0, False

    def teardown(self) -> None:
        """Nothing was skipped: whoever goes on gets everything that is not acknowledged."""
        self.model.now += 10 * STEP
        self.core.advance(10 * STEP)
        self._log_in()
        while True:
            answer = pull(self.sessions[0], self.name, 3)
            if not answer.events:
                assert answer.caught_up
                break
            self.model.handed_out(list(answer.events))
            self._acknowledge(self.sessions[0], {each.event.sequence for each in answer.events})
        assert not [each for each in self.model.events.values() if each.sure and not each.done]
        assert get(self.sessions[0], self.name).outstanding_count == 0
        for channel in self.channels:
            channel.close()


def run(core: RunningCore, addresses: tuple[str, ...], examples: int, steps: int) -> None:
    Subscribing.core, Subscribing.addresses = core, addresses
    # A failure is shown as it was found: to shrink it takes minutes.
    phases = (Phase.explicit, Phase.generate)
    Subscribing.TestCase.settings = settings(max_examples=examples, stateful_step_count=steps, phases=phases)
    Subscribing.TestCase().runTest()


@pytest.mark.parametrize("examples", [15, pytest.param(300, marks=[pytest.mark.campaign, pytest.mark.timeout(1800)])])
def test_any_interleaving_keeps_the_promises(examples: int) -> None:
    with running_core(clock=True) as core:
        run(core, (core.settings.grpc_address,), examples, 50)


def test_two_cores_on_one_database_keep_them_too(postgres_database: str, tmp_path: Path) -> None:
    keys = tmp_path / "keyring.json"
    keyring.create(keys)
    with (
        running_core(clock=True, database_url=postgres_database, keyring_file=keys) as core,
        another_core(core, tmp_path) as other,
    ):
        run(core, (core.settings.grpc_address, other), 8, 30)
