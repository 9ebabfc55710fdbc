"""What no key opens: kept within bounds, told of coarsely, and applied as soon as a key comes."""

import json
import os

import pytest
from mintmark.v1 import acquirer_notifications_pb2 as np

from server.domain import unreadable_notifications
from tests.server.rpc.acquiring import Merchant, add_key, booking_of, deliver, open_merchant, outcome_of, said, sealed
from tests.server.rpc.running import RunningCore, refused, request_id, running_core
from tests.waiting import eventually


@pytest.fixture
def merchant(core: RunningCore) -> Merchant:
    return open_merchant(core)


def unopened(merchant: Merchant, key: bytes, message: dict[str, object]) -> None:
    assert outcome_of(deliver(merchant.core, merchant.config_id, sealed(key, json_bytes(message)))) == "UNREADABLE"


def json_bytes(message: dict[str, object]) -> bytes:
    return json.dumps(message).encode()


def open_kept(merchant: Merchant) -> tuple[int, int]:
    request = np.OpenUnreadableNotificationsRequest(request_id=request_id(), webhook_config=merchant.config)
    answer = merchant.core.admin.unreadable.OpenUnreadableNotifications(request)
    return answer.opened_count, answer.unreadable_count


def test_it_is_kept_and_counted_and_told_of_once_an_hour(core: RunningCore, merchant: Merchant) -> None:
    cursor = core.admin.head()
    envelope = sealed(os.urandom(32), b"secret")
    for _ in range(3):
        assert outcome_of(deliver(core, merchant.config_id, envelope)) == "UNREADABLE"
    unopened(merchant, os.urandom(32), said())
    newest, oldest = merchant.unreadable()
    assert [newest.delivery_count, oldest.delivery_count, oldest.size] == [1, 3, 6]
    assert oldest.webhook_config == merchant.config
    assert merchant.kinds(cursor) == ["ACQUIRER_NOTIFICATION_UNREADABLE"]
    assert merchant.kept() == []


def test_it_is_told_of_again_an_hour_later_with_what_had_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unreadable_notifications, "MOST_KEPT", 2)
    with running_core(clock=True) as core:
        merchant = open_merchant(core)
        for _ in range(4):
            unopened(merchant, os.urandom(32), said())
        assert len(merchant.unreadable()) == 2
        cursor = core.admin.head()
        core.advance(3600)
        unopened(merchant, os.urandom(32), said())
        (event,) = core.admin.events_after(cursor, merchant_gateway_id=merchant.gateway)
        assert (event.resource, dict(event.details)) == (merchant.config, {"kept": "2", "dropped": "3"})


def test_the_verb_opens_what_a_new_key_opens_and_applies_it_once(core: RunningCore, merchant: Merchant) -> None:
    key, message = os.urandom(32), said()
    unopened(merchant, key, message)
    unopened(merchant, os.urandom(32), said())
    add_key(merchant, key)
    opened, left = open_kept(merchant)
    eventually(lambda: booking_of(merchant.get(message["transactionID"])) == "PAID", what="what was kept")
    assert (opened, left) in ((1, 1), (0, 1))
    assert len(merchant.unreadable()) == 1
    assert deliver(core, merchant.config_id, sealed(key, json_bytes(message))).repeated


def test_it_is_opened_by_itself_when_a_key_comes(core: RunningCore, merchant: Merchant) -> None:
    key, messages = os.urandom(32), [said() for _ in range(3)]
    for message in messages:
        unopened(merchant, key, message)
    add_key(merchant, key)
    eventually(lambda: merchant.unreadable() == [], 30, "what was kept to be opened")
    assert {booking_of(merchant.get(message["transactionID"])) for message in messages} == {"PAID"}


def test_a_key_that_is_there_at_once_is_not_tried_for_ever(core: RunningCore, merchant: Merchant) -> None:
    unopened(merchant, os.urandom(32), said())
    add_key(merchant, os.urandom(32))
    view = core.core.store.view
    eventually(lambda: merchant.config not in view.acquirer.configs_to_try(), 30, "the key to be tried")
    assert len(merchant.unreadable()) == 1


def test_who_may_not_see_the_config_sees_and_opens_nothing(core: RunningCore, merchant: Merchant) -> None:
    unopened(merchant, os.urandom(32), said())
    stranger = core.client(["webhook_configs.read", "webhook_configs.write"], ["OTHER"])
    assert (
        list(
            stranger.unreadable.ListUnreadableNotifications(
                np.ListUnreadableNotificationsRequest()
            ).unreadable_notifications
        )
        == []
    )
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        stranger.unreadable.OpenUnreadableNotifications(
            np.OpenUnreadableNotificationsRequest(request_id=request_id(), webhook_config=merchant.config)
        )


def test_the_list_goes_on_from_page_to_page_the_newest_first(core: RunningCore, merchant: Merchant) -> None:
    for _ in range(5):
        unopened(merchant, os.urandom(32), said())
    names, token = [], ""
    while True:
        request = np.ListUnreadableNotificationsRequest(webhook_config=merchant.config, page_size=2, page_token=token)
        page = core.admin.unreadable.ListUnreadableNotifications(request)
        names += [each.name for each in page.unreadable_notifications]
        token = page.next_page_token
        if not token:
            break
    assert names == sorted(names, reverse=True)
    assert len(names) == 5
