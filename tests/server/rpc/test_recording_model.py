"""Any interleaving of creations, updates, repeats and disorder ends where a tiny model says."""

from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from mintmark.v1 import bindings_pb2, notifications_pb2, tokens_pb2

from server.domain import timestamps
from tests.server.rpc.notices import MERCHANT, d1, record, told, tsh
from tests.server.rpc.running import RunningCore, running_core

DEVICES = ("d-1", "d-2")
STATES = ("ACTIVE", "SUSPENDED", "DELETED", "MELTED")
TIMES = ("", "nonsense", *(f"2020-01-0{day}T00:00:00Z" for day in range(1, 6)))
HOUR = 3600
DAY = 24 * HOUR


@dataclass
class Device:
    """What the model knows of a binding: the newest state by the rules."""

    state: str = ""
    order: int | None = None
    deliveries: int = 0
    last: tuple[int, bytes] | None = None


@dataclass
class Model:
    """Each distinct notification with its identity, and what must have come of it all."""

    now: int = 0
    devices: dict[str, Device] = field(default_factory=dict)
    # By identity: when it was stored.
    known: dict[tuple[Any, ...], int] = field(default_factory=dict)
    events: int = 0
    stored: int = 0
    deliveries: int = 0
    refreshes: int = 0

    def tsh(self, notice: notifications_pb2.NotificationRecord, *, creation: bool, state: str, time: str) -> str:
        self.deliveries += 1
        device = self.devices.setdefault(notice.device_id, Device())
        device.deliveries += 1
        identity = (notice.kind, notice.device_id, notice.content_digest, _given(notice))
        known = identity in self.known
        said = (notice.kind, notice.content_digest)
        if known and (notice.correlation_id_given or device.last == said):
            return "REPEATED"
        self.known[identity] = self.now
        self.stored += 1
        order = timestamps.parse(time).micros if time else None
        if device.order is not None and order is not None:
            older = order < device.order or (creation and order == device.order)
            if older:
                return "STALE"
        device.state = "" if creation else state
        device.order = max(filter(None, (device.order, order)), default=None)
        device.last = said
        self.events += 1
        return "APPLIED"

    def d1(self, notice: notifications_pb2.NotificationRecord) -> str:
        self.deliveries += 1
        self.refreshes += 1
        identity = (notice.kind, notice.content_digest, _given(notice))
        if notice.correlation_id_given and self.now - self.known.get(identity, -DAY) < DAY:
            return "REPEATED"
        self.known[identity] = self.now
        self.stored += 1
        self.events += 1
        return "APPLIED"


def _given(notice: notifications_pb2.NotificationRecord) -> str:
    return notice.correlation_id if notice.correlation_id_given else ""


class Recording(RuleBasedStateMachine):
    """Notifications to one gateway of a core that all runs share."""

    core: RunningCore
    runs = 0

    @initialize()
    def begin(self) -> None:
        type(self).runs += 1
        self.place = f"MGW_{self.runs:06}"
        self.partner, self.key = self.core.partner(self.place), self.core.api_key(self.place)
        self.model = Model()
        self.sent: list[tuple[notifications_pb2.NotificationRecord, dict[str, Any]]] = []
        self.waiting: list[tuple[notifications_pb2.NotificationRecord, dict[str, Any]]] = []

    def _send(self, notice: notifications_pb2.NotificationRecord, **facts: Any) -> None:
        self.sent.append((notice, facts))
        self.waiting.append((notice, facts))

    @rule(
        device=st.sampled_from(DEVICES),
        state=st.sampled_from(STATES),
        time=st.sampled_from(TIMES),
        given_=st.booleans(),
    )
    def update(self, device: str, state: str, time: str, given_: bool) -> None:
        told_of = {"binding_state": state, "last_update_timestamp": time}
        notice = tsh(self.key, "binding_update", told_of, device_id=device, correlation_id="" if given_ else None)
        self._send(notice, creation=False, state=state, time=time)

    @rule(device=st.sampled_from(DEVICES), time=st.sampled_from(TIMES), given_=st.booleans())
    def creation(self, device: str, time: str, given_: bool) -> None:
        told_of = {"idv_method": "NONE", "creation_timestamp": time}
        notice = tsh(self.key, "binding_creation", told_of, device_id=device, correlation_id="" if given_ else None)
        self._send(notice, creation=True, state="", time=time)

    @rule(type_=st.sampled_from(["A", "B"]), correlation_id=st.sampled_from(["x", "y", None]))
    def refresh(self, type_: str, correlation_id: str | None) -> None:
        self._send(d1(self.partner, self.place, update_type=type_, correlation_id=correlation_id))

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        if self.sent:
            self.waiting.append(data.draw(st.sampled_from(self.sent)))

    @rule()
    def deliver(self) -> None:
        """Everything that waits, as one batch."""
        if not self.waiting:
            return
        results = record(self.core, *(notice for notice, _ in self.waiting))
        expected = [
            self.model.tsh(notice, **facts) if facts else self.model.d1(notice) for notice, facts in self.waiting
        ]
        seen = [state if outcome == "STORED" else outcome for outcome, state in told(results)]
        assert seen == expected
        self.waiting.clear()

    @rule(hours=st.sampled_from([1, 23, 25]))
    def time_passes(self, hours: int) -> None:
        self.deliver()
        self.core.advance(hours * HOUR)
        # The clock also moves by itself: no draw comes near to the 24 hours.
        self.model.now += hours * HOUR

    def teardown(self) -> None:
        self.deliver()
        self._check_bindings()
        self._check_token()
        self._check_counts()

    def _check_bindings(self) -> None:
        for device, expected in self.model.devices.items():
            name = f"merchantGateways/{self.place}/merchants/{MERCHANT}/tokens/t-1/bindings/{device}"
            binding = self.core.admin.bindings.GetBinding(bindings_pb2.GetBindingRequest(name=name)).binding
            order = binding.partner_order_time.ToMicroseconds() if binding.HasField("partner_order_time") else None
            seen = (binding.state_text, order, binding.delivery_count)
            assert seen == (expected.state, expected.order, expected.deliveries)

    def _check_token(self) -> None:
        if self.model.refreshes:
            name = f"merchantGateways/{self.place}/merchants/{MERCHANT}/tokens/t-1"
            token = self.core.admin.tokens.GetToken(tokens_pb2.GetTokenRequest(name=name)).token
            assert (token.refresh_generation, token.delivery_count) == (self.model.refreshes, self.model.refreshes)

    def _check_counts(self) -> None:
        """Each distinct notification is one event or stale; every delivery is counted once."""
        events = self.core.admin.events_after("0", merchant_gateway_id=self.place)
        request = notifications_pb2.ListNotificationsRequest(merchant_gateway_id=self.place, page_size=1000)
        kept = self.core.admin.notifications.ListNotifications(request).notifications
        applied = [each.name for each in kept if each.state == 1]
        assert sorted(event.notification for event in events) == sorted(applied)
        assert (len(events), len(kept)) == (self.model.events, self.model.stored)
        assert sum(each.delivery_count for each in kept) == self.model.deliveries


def test_any_interleaving_ends_where_the_model_says() -> None:
    with running_core(clock=True) as core:
        Recording.core = core
        # A failure is shown as it was found: to shrink it takes minutes.
        phases = (Phase.explicit, Phase.generate)
        Recording.TestCase.settings = settings(max_examples=60, stateful_step_count=25, phases=phases)
        Recording.TestCase().runTest()
