"""What becomes of notifications: the identity table and the rules of order, through RecordNotifications."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mintmark.v1 import bindings_pb2, events_pb2, notifications_pb2

from tests.server.rpc.notices import MERCHANT, d1, own_id, record, told, tsh
from tests.server.rpc.readings import binding, kinds, notification, token
from tests.server.rpc.running import RunningCore, running_core

Kind = events_pb2.EventKind
Flag = notifications_pb2.NotificationFlag
STORED = ("STORED", "APPLIED")
STALE = ("STORED", "STALE")
HOUR = 3600
EARLY, LATE = "2017-11-10T09:08:24.479Z", "2017-11-13T11:12:41.165Z"


@pytest.fixture(scope="module")
def core() -> Iterator[RunningCore]:
    """A core whose clock moves."""
    with running_core(clock=True) as running:
        yield running


def update(sender: str, state: str, time: str = "", **fields: Any) -> notifications_pb2.NotificationRecord:
    return tsh(sender, "binding_update", {"binding_state": state, "last_update_timestamp": time}, **fields)


def creation(sender: str, time: str = "", **fields: Any) -> notifications_pb2.NotificationRecord:
    return tsh(sender, "binding_creation", {"idv_method": "APP_TO_APP", "creation_timestamp": time}, **fields)


# D1 ecom notify-update.


def test_a_d1_update_asks_for_a_refresh(core: RunningCore, place: str) -> None:
    sender = core.partner(place)
    (result,) = record(core, d1(sender, place, correlation_id="corr-1"))
    assert told([result]) == [STORED]
    known = token(core, place)
    assert (known.refresh_generation, known.refreshed_generation, known.delivery_count) == (1, 0, 1)
    assert (known.last_update_type, known.provider) == ("TOKEN_METADATA_UPDATED", 1)
    (event,) = core.admin.events_after("0", merchant_gateway_id=place)
    assert (Kind.Name(event.kind), event.resource) == ("EVENT_KIND_TOKEN_REFRESH_REQUESTED", known.name)
    assert dict(event.details) == {"update_type": "TOKEN_METADATA_UPDATED"}
    assert (event.actor, event.correlation_id, event.notification) == (sender, "corr-1", result.notification)
    assert event.token == known
    kept = notification(core, result.notification)
    assert (kept.sender, kept.correlation_id, kept.resource) == (sender, "corr-1", known.name)
    assert (kept.delivery_count, kept.event_sequence) == (1, event.sequence)
    assert '"updateType": "TOKEN_METADATA_UPDATED"' in kept.redacted_body
    assert kept.body_size == len(kept.redacted_body)


def test_a_repeated_d1_update_raises_the_generation_and_tells_nobody(core: RunningCore, place: str) -> None:
    again = d1(core.partner(place), place)
    (first,) = record(core, again)
    for _ in range(2):
        (repeat,) = record(core, again)
        assert (told([repeat])[0][0], repeat.notification) == ("REPEATED", first.notification)
    known = token(core, place)
    assert (known.refresh_generation, known.delivery_count) == (3, 3)
    assert kinds(core, place) == ["TOKEN_REFRESH_REQUESTED"]
    assert notification(core, first.notification).delivery_count == 3


def test_a_d1_update_without_a_correlation_id_is_never_a_repeat(core: RunningCore, place: str) -> None:
    again = d1(core.partner(place), place, correlation_id=None)
    assert told(record(core, again)) == told(record(core, again)) == [STORED]
    assert kinds(core, place) == ["TOKEN_REFRESH_REQUESTED"] * 2


def test_a_d1_correlation_id_made_by_the_gateway_does_not_count(core: RunningCore, place: str) -> None:
    again = d1(core.partner(place), place, correlation_id="same")
    again.correlation_id_given = False
    assert told(record(core, again)) == told(record(core, again)) == [STORED]


@pytest.mark.parametrize(
    "other",
    [{"update_type": "OTHER"}, {"token_id": "t-2"}, {"merchant_id": "10610027313"}, {"correlation_id": "other"}],
)
def test_another_d1_update_with_the_same_rest_is_no_repeat(
    core: RunningCore, place: str, other: dict[str, Any]
) -> None:
    sender, same = core.partner(place), {"correlation_id": "same"}
    assert told(record(core, d1(sender, place, **same))) == [STORED]
    assert told(record(core, d1(sender, place, **{**same, **other}))) == [STORED]
    assert kinds(core, place) == ["TOKEN_REFRESH_REQUESTED"] * 2


def test_a_d1_repeat_after_24_hours_is_new(core: RunningCore, place: str) -> None:
    again = d1(core.partner(place), place)
    (first,) = record(core, again)
    core.advance(24 * HOUR - 60)
    assert record(core, again)[0].notification == first.notification
    core.advance(120)
    (new,) = record(core, again)
    assert told([new]) == [STORED]
    assert new.notification != first.notification
    (repeat,) = record(core, again)
    assert repeat.notification == new.notification
    assert kinds(core, place) == ["TOKEN_REFRESH_REQUESTED"] * 2
    assert token(core, place).refresh_generation == 4


# TSH bindings.


def test_a_binding_is_created_and_updated(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    created = {
        "device_type": "PHONE",
        "app_type": "ANDROID",
        "visa_provisioned_token_id": "visa",
        "idv_method": "APP_TO_APP",
        "creation_timestamp": EARLY,
    }
    assert told(record(core, tsh(key, "binding_creation", created))) == [STORED]
    first = binding(core, place)
    assert (first.merchant_gateway_id, first.merchant_id, first.token_id, first.device_id) == (
        place,
        MERCHANT,
        "t-1",
        "d-1",
    )
    assert first.token == f"merchantGateways/{place}/merchants/{MERCHANT}/tokens/t-1"
    assert (first.state, first.state_text) == (bindings_pb2.BindingState.BINDING_STATE_CREATED, "")
    assert (first.device_type, first.device_type_text) == (bindings_pb2.DeviceType.DEVICE_TYPE_PHONE, "PHONE")
    assert (first.app_type, first.app_type_text) == (bindings_pb2.AppType.APP_TYPE_ANDROID, "ANDROID")
    assert first.idv_method == bindings_pb2.IdvMethod.IDV_METHOD_APP_TO_APP
    assert first.partner_order_time.ToJsonString() == EARLY
    assert told(record(core, update(key, "DELETED", LATE))) == [STORED]
    second = binding(core, place)
    assert (second.state, second.state_text) == (bindings_pb2.BindingState.BINDING_STATE_DELETED, "DELETED")
    # What the update does not tell of stays.
    assert (second.idv_method_text, second.partner_create_time_text) == ("APP_TO_APP", EARLY)
    assert (second.partner_update_time_text, second.delivery_count) == (LATE, 2)
    assert second.etag != first.etag
    events = core.admin.events_after("0", merchant_gateway_id=place)
    assert [event.binding for event in events] == [first, second]
    assert kinds(core, place) == ["BINDING_CREATED", "BINDING_UPDATED"]


IDV = "OTP_SMS OTP_EMAIL OTP_ONLINE_BANKING APP_TO_APP OUTBOUND_CALL CUSTOMER_SERVICE NONE UNKNOWN"


@pytest.mark.parametrize(
    ("field", "words", "texts"),
    [
        ("device_type", bindings_pb2.DeviceType, "PHONE TABLET WATCH TV WEARABLE_DEVICE"),
        ("app_type", bindings_pb2.AppType, "IOS ANDROID WEB"),
        ("idv_method", bindings_pb2.IdvMethod, IDV),
        ("binding_state", bindings_pb2.BindingState, "ACTIVE SUSPENDED DELETED"),
    ],
)
def test_every_documented_value_is_known_and_others_are_kept(
    core: RunningCore, place: str, field: str, words: Any, texts: str
) -> None:
    key = core.api_key(place)
    shown = field.replace("binding_", "")
    what = "binding_update" if field == "binding_state" else "binding_creation"
    for number, text in enumerate([*texts.split(), "SOMETHING_NEW", "phone"]):
        device = f"d-{number}"
        (result,) = record(core, tsh(key, what, {field: text}, device_id=device))
        assert told([result]) == [STORED]
        name = f"merchantGateways/{place}/merchants/{MERCHANT}/tokens/t-1/bindings/{device}"
        known = core.admin.bindings.GetBinding(bindings_pb2.GetBindingRequest(name=name)).binding
        assert getattr(known, f"{shown}_text") == text
        assert words.Name(getattr(known, shown)).endswith(f"_{text}" if text in texts.split() else "_UNRECOGNIZED")


def test_an_older_update_is_kept_and_changes_nothing(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    record(core, update(key, "DELETED", LATE))
    before = binding(core, place)
    (old,) = record(core, update(key, "ACTIVE", EARLY))
    assert told([old]) == [STALE]
    after = binding(core, place)
    assert (after.state_text, after.etag, after.partner_order_time) == (
        "DELETED",
        before.etag,
        before.partner_order_time,
    )
    assert after.delivery_count == 2
    assert kinds(core, place) == ["BINDING_UPDATED"]
    kept = notification(core, old.notification)
    assert (kept.event_sequence, "ACTIVE" in kept.redacted_body) == (0, True)


@pytest.mark.parametrize("time", [EARLY, LATE])
def test_a_creation_that_an_update_overtook_is_stale(core: RunningCore, place: str, time: str) -> None:
    key = core.api_key(place)
    record(core, update(key, "SUSPENDED", LATE))
    assert told(record(core, creation(key, time))) == [STALE]
    assert binding(core, place).state_text == "SUSPENDED"


def test_of_equal_timestamps_the_later_arrival_wins(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    assert told(record(core, update(key, "ACTIVE", LATE), update(key, "SUSPENDED", LATE))) == [STORED, STORED]
    assert binding(core, place).state_text == "SUSPENDED"


def test_the_same_instant_in_another_zone_is_the_same_instant(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    record(core, update(key, "DELETED", "2017-11-13T11:12:41.165Z"))
    assert told(record(core, update(key, "ACTIVE", "2017-11-13T13:12:41.164+02:00"))) == [STALE]


def test_the_contracts_malformed_timestamp_orders(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    (result,) = record(core, update(key, "DELETED", "2017-11-13T11:012:41.165Z"))
    assert told([result]) == [STORED]
    known = binding(core, place)
    assert known.partner_update_time_text == "2017-11-13T11:012:41.165Z"
    assert known.partner_order_time.ToJsonString() == "2017-11-13T11:12:41.165Z"
    assert Flag.NOTIFICATION_FLAG_TIMESTAMP_MALFORMED in notification(core, result.notification).flags
    assert told(record(core, update(key, "ACTIVE", "2017-11-13T11:12:41.164Z"))) == [STALE]


def ahead(core: RunningCore, hours: int) -> str:
    now = core.core.clock.now() / 1e6
    return (datetime.fromtimestamp(now, UTC) + timedelta(hours=hours)).isoformat()


def test_an_unreadable_timestamp_leaves_the_order_to_arrival(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    record(core, update(key, "ACTIVE", LATE))
    (result,) = record(core, update(key, "SUSPENDED", "yesterday"))
    assert told([result]) == [STORED]
    assert Flag.NOTIFICATION_FLAG_TIMESTAMP_UNREADABLE in notification(core, result.notification).flags
    known = binding(core, place)
    assert (known.state_text, known.partner_update_time_text) == ("SUSPENDED", "yesterday")
    # What could be read before still orders.
    assert known.partner_order_time.ToJsonString() == LATE
    assert told(record(core, update(key, "DELETED", EARLY))) == [STALE]


def test_a_timestamp_far_ahead_does_not_order(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    (result,) = record(core, update(key, "SUSPENDED", ahead(core, 25)))
    assert Flag.NOTIFICATION_FLAG_TIMESTAMP_AHEAD in notification(core, result.notification).flags
    assert not binding(core, place).HasField("partner_order_time")
    assert told(record(core, update(key, "DELETED", LATE))) == [STORED]
    assert binding(core, place).state_text == "DELETED"


def test_a_timestamp_a_little_ahead_orders(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    record(core, update(key, "SUSPENDED", ahead(core, 23)))
    assert told(record(core, update(key, "DELETED", LATE))) == [STALE]


def test_updates_without_timestamps_are_in_the_order_of_arrival(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    for state in ("ACTIVE", "DELETED", "ACTIVE"):
        assert told(record(core, update(key, state))) == [STORED]
        assert binding(core, place).state_text == state


# TSH repeats.


def test_a_tsh_repeat_adds_no_event_at_any_time(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    again = update(key, "ACTIVE", EARLY)
    (first,) = record(core, again)
    record(core, update(key, "DELETED", LATE))
    core.advance(40 * 24 * HOUR)
    (repeat,) = record(core, again)
    assert (told([repeat])[0][0], repeat.notification) == ("REPEATED", first.notification)
    known = binding(core, place)
    assert (known.state_text, known.delivery_count) == ("DELETED", 3)
    assert kinds(core, place) == ["BINDING_UPDATED", "BINDING_UPDATED"]
    assert notification(core, first.notification).delivery_count == 2


def test_the_same_tsh_message_id_with_other_content_is_new(core: RunningCore, place: str) -> None:
    key, message_id = core.api_key(place), own_id()
    for state in ("ACTIVE", "DELETED"):
        assert told(record(core, update(key, state, correlation_id=message_id))) == [STORED]
    assert told(record(core, update(key, "DELETED", correlation_id=message_id, device_id="d-2"))) == [STORED]
    assert told(record(core, creation(key, correlation_id=message_id))) == [STORED]


def test_the_same_message_for_another_gateway_is_another(core: RunningCore, place: str) -> None:
    message_id = own_id()
    for gateway in (place, f"{place}x"):
        assert told(record(core, update(core.api_key(gateway), "ACTIVE", correlation_id=message_id))) == [STORED]


def test_two_keys_of_one_gateway_send_one_feed(core: RunningCore, place: str) -> None:
    message_id = own_id()
    outcomes = [
        told(record(core, update(core.api_key(place), "ACTIVE", correlation_id=message_id)))[0][0] for _ in range(2)
    ]
    assert outcomes == ["STORED", "REPEATED"]


@pytest.mark.parametrize("time", ["", LATE, "yesterday"])
def test_without_a_message_id_the_last_content_again_is_a_repeat(core: RunningCore, place: str, time: str) -> None:
    key = core.api_key(place)
    first, other = (update(key, state, time, correlation_id=None) for state in ("ACTIVE", "DELETED"))
    outcomes = [told(record(core, each))[0][0] for each in (first, first, other, first, first)]
    assert outcomes == ["STORED", "REPEATED", "STORED", "STORED", "REPEATED"]
    assert kinds(core, place) == ["BINDING_UPDATED"] * 3
    known = binding(core, place)
    assert (known.state_text, known.delivery_count) == ("ACTIVE", 5)


def test_without_a_message_id_another_timestamp_is_new(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    for time in (EARLY, LATE):
        assert told(record(core, update(key, "ACTIVE", time, correlation_id=None))) == [STORED]
