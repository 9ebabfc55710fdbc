"""The twin's ledger against what the core shows over gRPC."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mintmark.v1 import bindings_pb2, events_pb2, notifications_pb2, tokens_pb2

from tests.faults.reading import Reading

# The twin's malformed times have a minute of three digits, the first one too many.
THIRD_DIGIT = re.compile(r"(T\d\d:)0(\d\d:)")
TIMES = {
    "tsh-binding-creation": "creationTimestamp",
    "tsh-binding-update": "lastUpdateTimestamp",
    "tsh-token-creation": "creationTimestamp",
    "tsh-token-update": "lastUpdateTimestamp",
    "tsh-merchant-update": "lastUpdateTimestamp",
}
STATES = {"tsh-binding-update": "bindingState", "tsh-token-update": "tokenState"}
D1 = "d1-token-update"


@dataclass(frozen=True)
class Told:
    """What the ledger says of one notification: its deliveries, each until it was settled."""

    kind: str
    body: dict[str, Any]
    resource: tuple[str, ...]
    acknowledged: int
    attempts: int

    @property
    def time(self) -> datetime:
        text = THIRD_DIGIT.sub(r"\1\2", self.body[TIMES[self.kind]])
        return datetime.fromisoformat(text).astimezone(UTC)


def told(lines: Iterable[dict[str, Any]]) -> dict[str, Told]:
    """The ledger by correlation id, which the twin gives to one notification only."""
    grouped: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        grouped[line["correlationId"]].append(line)
    found = {}
    for correlation_id, deliveries in grouped.items():
        first = deliveries[0]
        found[correlation_id] = Told(
            kind=first["kind"],
            body=first["body"],
            resource=tuple(first[name] for name in ("merchantId", "tokenId", "deviceId") if first[name]),
            acknowledged=sum(delivery["acknowledged"] for delivery in deliveries),
            attempts=sum(delivery["attempts"] for delivery in deliveries),
        )
    return found


@dataclass(frozen=True)
class Comparison:
    """What was compared, for whoever reports it."""

    notifications: int
    deliveries: int
    events: int


def compare(ledger: dict[str, Told], reading: Reading, *, whole: bool = True) -> Comparison:
    """Fails unless the two agree: nothing acknowledged lost, nothing applied twice, one event for each that changed
    something. `whole`: everything in the ledger was acknowledged and nothing else was sent; otherwise the twin itself
    was killed, and what it had sent last is not in its ledger."""
    stored = reading.notifications()
    _stored_once(ledger, stored, whole=whole)
    events = reading.events()
    _one_event_each(stored, events)
    unknown = {(each.token_id, each.device_id) for each in stored if each.correlation_id not in ledger}
    unsettled = {each.resource for each in ledger.values() if not each.acknowledged}
    if whole:
        assert not unknown, unknown
        assert not unsettled, [each for each in ledger.values() if not each.acknowledged]
    of_resource: dict[tuple[str, ...], list[Told]] = defaultdict(list)
    for each in ledger.values():
        of_resource[each.resource].append(each)
    unsure = unsettled | {tuple(part for part in ids if part) for ids in unknown}
    for token in reading.tokens():
        facts = of_resource[(token.merchant_id, token.token_id)]
        _check_counts(token.delivery_count, facts, whole=whole)
        if facts and facts[0].kind == D1:
            assert token.refresh_generation == token.delivery_count, token.name
        elif not unsure & {(token.token_id,), (token.merchant_id, token.token_id)}:
            _check_state(token, facts, "TOKEN_STATE_", tokens_pb2.TokenState)
    for binding in reading.bindings():
        facts = of_resource[(binding.merchant_id, binding.token_id, binding.device_id)]
        _check_counts(binding.delivery_count, facts, whole=whole)
        ids = (binding.token_id, binding.device_id)
        if not unsure & {ids, (binding.merchant_id, *ids)}:
            _check_state(binding, facts, "BINDING_STATE_", bindings_pb2.BindingState)
    for merchant in reading.merchants():
        facts = [each for each in of_resource[(merchant.merchant_id,)] if each.kind == "tsh-merchant-update"]
        _check_counts(merchant.delivery_count, facts, whole=whole)
    return Comparison(len(stored), sum(each.delivery_count for each in stored), len(events))


def _stored_once(ledger: dict[str, Told], stored: list[notifications_pb2.Notification], *, whole: bool) -> None:
    times = Counter(each.correlation_id for each in stored)
    twice = [correlation_id for correlation_id, count in times.items() if count > 1]
    assert not twice, f"stored twice: {twice}"
    acknowledged = {correlation_id for correlation_id, each in ledger.items() if each.acknowledged}
    assert not acknowledged - set(times), f"acknowledged and lost: {acknowledged - set(times)}"
    assert not whole or set(times) == acknowledged, f"not acknowledged: {set(times) ^ acknowledged}"
    quarantined = [each.name for each in stored if each.quarantine_reason]
    assert not quarantined, quarantined
    for each in stored:
        if each.correlation_id in ledger:
            _check_counts(each.delivery_count, [ledger[each.correlation_id]], whole=whole)


def _check_counts(counted: int, facts: list[Told], *, whole: bool) -> None:
    """Each acknowledged delivery counts; an attempt without an answer may have arrived; no attempt counts twice."""
    assert counted >= sum(each.acknowledged for each in facts), facts
    assert not whole or counted <= sum(each.attempts for each in facts), (counted, facts)


def _one_event_each(stored: list[notifications_pb2.Notification], events: list[events_pb2.Event]) -> None:
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    caused = Counter(event.notification for event in events if event.notification)
    applied = {each.name for each in stored if each.state == notifications_pb2.NOTIFICATION_STATE_APPLIED}
    stale = {each.name for each in stored if each.state == notifications_pb2.NOTIFICATION_STATE_STALE}
    assert len(applied) + len(stale) == len(stored)
    assert caused == dict.fromkeys(applied, 1), [name for name in caused if caused[name] > 1]
    resources = {each.name: each.resource for each in stored}
    for event in events:
        assert not event.notification or event.resource == resources[event.notification]


def _check_state(held: tokens_pb2.Token | bindings_pb2.Binding, facts: list[Told], prefix: str, states: Any) -> None:
    """The state is the one that the newest notification tells, whatever came last."""
    assert facts, f"nobody sent anything about {held.name}"
    names = states.keys()
    newest = max(facts, key=lambda each: each.time)
    word = newest.body[STATES[newest.kind]] if newest.kind in STATES else ""
    state = (word if prefix + word in names else "UNRECOGNIZED") if word else "CREATED"
    shown = states.Name(held.state).removeprefix(prefix)
    assert (shown, held.state_text) == (state, word), f"{held.name}: {sorted(facts, key=lambda each: each.time)}"
