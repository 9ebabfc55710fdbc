"""BindingsService, MerchantsService and NotificationsService: what is shown, to whom, in which pages."""

from collections.abc import Callable
from typing import Any

import pytest
from mintmark.v1 import bindings_pb2, merchants_pb2, notifications_pb2

from tests.server.rpc.notices import d1, record, told, tsh
from tests.server.rpc.running import RunningCore, Session, refused

READ = ["bindings.read", "merchants.read", "notifications.read"]
QUARANTINED = notifications_pb2.NotificationState.NOTIFICATION_STATE_QUARANTINED
STALE = notifications_pb2.NotificationState.NOTIFICATION_STATE_STALE


def bindings(session: Session, **wanted: Any) -> list[str]:
    request = bindings_pb2.ListBindingsRequest(**wanted)
    return [f"{each.merchant_id}/{each.device_id}" for each in session.bindings.ListBindings(request).bindings]


def merchants(session: Session, **wanted: Any) -> list[str]:
    request = merchants_pb2.ListMerchantsRequest(**wanted)
    return [each.merchant_id for each in session.merchants.ListMerchants(request).merchants]


def notifications(session: Session, **wanted: Any) -> list[notifications_pb2.Notification]:
    request = notifications_pb2.ListNotificationsRequest(**wanted)
    return list(session.notifications.ListNotifications(request).notifications)


@pytest.fixture
def reported(core: RunningCore, place: str) -> list[str]:
    """Reports on two merchants of a gateway and one of another. The names of the notifications."""
    key, other = core.api_key(place), core.api_key(f"{place}x")
    results = record(
        core,
        tsh(key, "binding_update", {"binding_state": "ACTIVE"}, merchant_id="m-1", device_id="d-1"),
        tsh(key, "binding_update", {"binding_state": "DELETED"}, merchant_id="m-1", device_id="d-2", token_id="t-2"),
        tsh(key, "binding_update", {"binding_state": "ACTIVE"}, merchant_id="m-2", device_id="d-1"),
        tsh(other, "binding_update", {"binding_state": "ACTIVE"}, merchant_id="m-1", device_id="d-1"),
        tsh(key, "merchant_update", {"scheme": "VISA"}, merchant_id="m-1"),
        tsh(key, "merchant_update", {"scheme": "VISA"}, merchant_id="m-2"),
        tsh(other, "merchant_update", {"scheme": "VISA"}, merchant_id="m-1"),
    )
    assert set(told(results)) == {("STORED", "APPLIED")}
    return [each.notification for each in results]


def test_lists_show_what_the_caller_may_see(core: RunningCore, place: str, reported: list[str]) -> None:
    gateway, both = core.client(READ, [place]), core.client(READ, [place, f"{place}x"])
    merchant, nothing = core.client(READ, [place], ["m-2"]), core.client(READ)
    assert bindings(gateway) == ["m-1/d-1", "m-1/d-2", "m-2/d-1"]
    assert bindings(both) == ["m-1/d-1", "m-1/d-2", "m-2/d-1", "m-1/d-1"]
    assert bindings(merchant) == ["m-2/d-1"]
    assert merchants(gateway) == ["m-1", "m-2"]
    assert merchants(merchant) == ["m-2"]
    newest_first = list(reversed(reported))
    assert [each.name for each in notifications(both)] == newest_first
    assert [each.name for each in notifications(gateway)] == [name for name in newest_first if name != reported[3]][1:]
    assert [each.name for each in notifications(merchant)] == [reported[5], reported[2]]
    assert bindings(nothing) == merchants(nothing) == notifications(nothing) == []


def test_absent_and_foreign_look_the_same(core: RunningCore, place: str, reported: list[str]) -> None:
    merchant = core.client(READ, [place], ["m-2"])
    base = f"merchantGateways/{place}/merchants"

    def get_binding(name: str) -> object:
        return merchant.bindings.GetBinding(bindings_pb2.GetBindingRequest(name=name))

    def get_merchant(name: str) -> object:
        return merchant.merchants.GetMerchant(merchants_pb2.GetMerchantRequest(name=name))

    def get_notification(name: str) -> object:
        return merchant.notifications.GetNotification(notifications_pb2.GetNotificationRequest(name=name))

    cases: list[tuple[Callable[[str], object], list[str], str]] = [
        (
            get_binding,
            [f"{base}/m-1/tokens/t-1/bindings/d-1", f"{base}/m-2/tokens/t-1/bindings/d-9", "x"],
            f"{base}/m-2/tokens/t-1/bindings/d-1",
        ),
        (get_merchant, [f"{base}/m-1", f"{base}/m-9", "merchantGateways/other/merchants/m-2"], f"{base}/m-2"),
        (get_notification, [reported[0], reported[3], "notifications/nothing"], reported[2]),
    ]
    for get, hidden, shown in cases:
        texts = set()
        for name in hidden:
            with refused("NOT_FOUND", "RESOURCE_NOT_FOUND") as said:
                get(name)
            assert said.metadata == {"resource": name}
            texts.add(said.text.replace(name, ""))
        assert len(texts) == 1
        get(shown)


def test_lists_show_what_was_asked_for(core: RunningCore, place: str, reported: list[str]) -> None:
    session = core.client(READ, [place])
    deleted = bindings_pb2.BindingState.BINDING_STATE_DELETED
    base = f"merchantGateways/{place}/merchants"
    assert bindings(session, parent=f"{base}/m-1/tokens/-") == ["m-1/d-1", "m-1/d-2"]
    assert bindings(session, parent="merchantGateways/-/merchants/-/tokens/t-2") == ["m-1/d-2"]
    assert bindings(session, device_id="d-1") == ["m-1/d-1", "m-2/d-1"]
    assert bindings(session, states=[deleted]) == ["m-1/d-2"]
    assert merchants(session, parent=f"merchantGateways/{place}") == ["m-1", "m-2"]
    assert merchants(session, parent="merchantGateways/-") == ["m-1", "m-2"]
    assert merchants(session, parent="merchantGateways/other") == []
    for parent in ("merchantGateways", "merchantGateways/g/merchants/m", "x/y"):
        with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
            merchants(session, parent=parent)


def test_notifications_are_filtered(core: RunningCore, place: str) -> None:
    partner, key = core.partner(place), core.api_key(place, ["mine"])
    record(
        core,
        d1(partner, place, "t-1", merchant_id="mine", correlation_id="c-1"),
        tsh(key, "binding_update", {}, merchant_id="mine", token_id="t-2", device_id="d-2"),
        tsh(key, "binding_update", {}, merchant_id="another", token_id="t-3", device_id="d-2"),
        tsh(key, "token_update", {"last_update_timestamp": "2020-01-02"}, merchant_id="mine", token_id="t-4"),
        tsh(key, "token_update", {"last_update_timestamp": "2020-01-01"}, merchant_id="mine", token_id="t-4"),
    )
    kind = notifications_pb2.NotificationKind
    session = core.client(READ, [place])

    def ids(**wanted: Any) -> list[str]:
        return [each.token_id for each in notifications(session, **wanted)]

    assert ids() == ["t-4", "t-4", "t-3", "t-2", "t-1"]
    assert ids(states=[QUARANTINED, STALE]) == ["t-4", "t-3"]
    assert ids(kinds=[kind.NOTIFICATION_KIND_D1_TOKEN_UPDATE]) == ["t-1"]
    assert ids(merchant_gateway_id=place, merchant_id="another") == ["t-3"]
    assert ids(token_id="t-2") == ["t-2"]
    assert ids(device_id="d-2") == ["t-3", "t-2"]
    assert ids(correlation_id="c-1") == ["t-1"]
    assert ids(merchant_gateway_id="other") == []


def test_bodies_are_shown_one_at_a_time(core: RunningCore, place: str, reported: list[str]) -> None:
    session = core.client(READ, [place])
    for each in notifications(session):
        assert (each.redacted_body, each.event_sequence) == ("", 0)
        request = notifications_pb2.GetNotificationRequest(name=each.name)
        whole = session.notifications.GetNotification(request).notification
        assert whole.redacted_body
        assert whole.event_sequence
        whole.redacted_body, whole.event_sequence = "", 0
        assert whole == each


def test_bodies_lie_sealed_in_the_database(core: RunningCore, place: str) -> None:
    secret = f"a-text-that-nobody-else-writes-{place}"
    record(core, d1(core.partner(place), place, update_type="X", body=secret.encode()))
    for file in (core.folder / "data").glob("mintmark.sqlite*"):
        assert secret.encode() not in file.read_bytes()
    (kept,) = notifications(core.admin, merchant_gateway_id=place)
    request = notifications_pb2.GetNotificationRequest(name=kept.name)
    assert core.admin.notifications.GetNotification(request).notification.redacted_body == secret


def test_a_notification_of_an_unknown_merchant_is_for_those_whom_no_merchant_limits(
    core: RunningCore, place: str
) -> None:
    reason = notifications_pb2.QuarantineReason.QUARANTINE_REASON_BODY_UNREADABLE
    unreadable = tsh(core.api_key(place), "binding_update", {}, merchant_id="", quarantine_reason=reason)
    (result,) = record(core, unreadable)
    request = notifications_pb2.GetNotificationRequest(name=result.notification)
    gateway, merchant = core.client(READ, [place]), core.client(READ, [place], ["m-1"])
    assert gateway.notifications.GetNotification(request).notification.redacted_body
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        merchant.notifications.GetNotification(request)
    assert notifications(merchant) == []


def test_pages_of_each_list_follow_each_other(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    ids = [f"x-{number}" for number in range(5)]
    record(core, *(tsh(key, "binding_update", {}, device_id=each, token_id=f"t-{place}") for each in ids))
    record(core, *(tsh(key, "merchant_update", {"scheme": "VISA"}, merchant_id=each) for each in ids))
    session = core.client(READ, [place])
    asked: list[tuple[Any, Any, str]] = [
        (session.bindings.ListBindings, bindings_pb2.ListBindingsRequest(), "bindings"),
        (session.merchants.ListMerchants, merchants_pb2.ListMerchantsRequest(), "merchants"),
        (session.notifications.ListNotifications, notifications_pb2.ListNotificationsRequest(), "notifications"),
    ]
    for call, request, field in asked:
        whole = [each.name for each in getattr(call(request), field)]
        assert len(whole) == (10 if field == "notifications" else 5)
        request.page_size = 2
        names: list[str] = []
        while not names or request.page_token:
            answer = call(request)
            page = [each.name for each in getattr(answer, field)]
            assert len(page) <= 2
            names += page
            request.page_token = answer.next_page_token
        assert names == whole
        request.page_token = "nonsense"
        with refused("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID"):
            call(request)


def test_new_notifications_do_not_shift_the_pages_of_old_ones(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    record(core, *(tsh(key, "binding_update", {}, device_id=f"d-{number}") for number in range(4)))
    request = notifications_pb2.ListNotificationsRequest(merchant_gateway_id=place, page_size=2)
    first = core.admin.notifications.ListNotifications(request)
    record(core, tsh(key, "binding_update", {}, device_id="new"))
    request.page_token = first.next_page_token
    second = core.admin.notifications.ListNotifications(request)
    devices = [each.device_id for each in (*first.notifications, *second.notifications)]
    assert devices == ["d-3", "d-2", "d-1", "d-0"]
