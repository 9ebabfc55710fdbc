"""Keys: they open before the acquirer learns them, until long after it has stopped, and show themselves nowhere."""

import base64
import json
from pathlib import Path

import pytest
from mintmark.v1 import acquirer_notifications_pb2 as np
from mintmark.v1 import webhook_configs_pb2 as wp

from server.services.webhook_chores import WebhookTimes
from tests.server.rpc.acquiring import deliver, outcome_of, said, sealed
from tests.server.rpc.configuring import APPLY, REJECTED, SECRETS, Acquirer, call, made_key, open_acquirer, word
from tests.server.rpc.running import RunningCore, refused, request_id, running_core

DAY = 24 * 3600


@pytest.fixture
def acquirer(moving: RunningCore) -> Acquirer:
    return open_acquirer(moving, delete_by_update=True)


def opens(acquirer: Acquirer, config: wp.WebhookConfig, key: str) -> str:
    """How a notification under a key is answered."""
    envelope = sealed(base64.b64decode(key), json.dumps(said()).encode())
    return outcome_of(deliver(acquirer.core, config.desired.webhook_config_id, envelope))


def tidy(acquirer: Acquirer) -> None:
    chore = WebhookTimes(acquirer.core.core.webhooks)
    while chore.wanted() and chore.step():
        pass


def test_a_key_opens_before_the_acquirer_learns_it_and_the_old_ones_go_on(acquirer: Acquirer) -> None:
    keys = [made_key() for _ in range(3)]
    made = acquirer.create(key=keys[0])
    assert opens(acquirer, made, keys[0]) == "ACKNOWLEDGED"
    assert opens(acquirer, made, keys[1]) == "UNREADABLE"
    for key in keys[1:]:
        now = acquirer.rotate(made.name, key)
        assert word(now) == "PENDING"
        assert opens(acquirer, made, key) == "ACKNOWLEDGED"
    assert [opens(acquirer, made, key) for key in keys] == ["ACKNOWLEDGED"] * 3
    found = acquirer.get(made.name)
    assert [key.current for key in found.keys] == [True, False, False]
    assert all(key.HasField("last_use_time") for key in found.keys)
    (task,) = acquirer.claim(APPLY)
    assert task.application.key == keys[2]
    acquirer.report(task)
    current, second, first = acquirer.get(made.name).keys
    assert current.HasField("apply_time")
    assert not second.HasField("apply_time")
    assert first.HasField("expire_time")
    assert second.HasField("expire_time")


def test_the_old_key_stays_while_the_acquirer_has_not_agreed_to_the_new_one(acquirer: Acquirer) -> None:
    first, second = made_key(), made_key()
    made = acquirer.create(key=first)
    acquirer.agree()
    acquirer.rotate(made.name, second)
    (task,) = acquirer.claim(APPLY)
    acquirer.report(task, call(REJECTED))
    acquirer.core.advance(200 * DAY)
    tidy(acquirer)
    assert opens(acquirer, made, first) == "ACKNOWLEDGED"
    assert not acquirer.get(made.name).keys[1].HasField("expire_time")


def test_an_old_key_is_removed_two_months_after_its_last_use(acquirer: Acquirer) -> None:
    first, second = made_key(), made_key()
    made = acquirer.create(key=first)
    acquirer.agree()
    acquirer.rotate(made.name, second)
    acquirer.agree()
    acquirer.core.advance(40 * DAY)
    assert opens(acquirer, made, first) == "ACKNOWLEDGED"
    acquirer.core.advance(40 * DAY)
    tidy(acquirer)
    assert opens(acquirer, made, first) == "ACKNOWLEDGED"
    cursor = acquirer.core.admin.head()
    acquirer.core.advance(63 * DAY)
    tidy(acquirer)
    assert [key.name for key in acquirer.get(made.name).keys] == [f"{made.name}/keys/2"]
    assert "WEBHOOK_KEY_REMOVED" in acquirer.kinds(cursor, made.name)
    assert opens(acquirer, made, first) == "UNREADABLE"
    assert opens(acquirer, made, second) == "ACKNOWLEDGED"


def test_a_deleted_config_goes_on_opening_and_is_removed_with_its_last_key(acquirer: Acquirer) -> None:
    key = made_key()
    made = acquirer.create(key=key)
    acquirer.agree()
    acquirer.delete(made.name)
    assert opens(acquirer, made, key) == "ACKNOWLEDGED"
    acquirer.agree()
    acquirer.core.advance(60 * DAY)
    tidy(acquirer)
    assert opens(acquirer, made, key) == "ACKNOWLEDGED"
    acquirer.core.advance(40 * DAY)
    tidy(acquirer)
    assert opens(acquirer, made, key) == "ACKNOWLEDGED"
    acquirer.core.advance(63 * DAY)
    tidy(acquirer)
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        acquirer.get(made.name)
    assert opens(acquirer, made, key) == "CONFIG_UNKNOWN"


def test_a_config_has_room_for_sixteen_keys(acquirer: Acquirer) -> None:
    made = acquirer.create()
    full = made.desired.webhook_config_id
    for _ in range(15):
        acquirer.rotate(made.name)
    with refused("FAILED_PRECONDITION", "WEBHOOK_KEYS_FULL"):
        acquirer.rotate(made.name)
    with refused("FAILED_PRECONDITION", "WEBHOOK_KEYS_FULL"):
        acquirer.apply(acquirer.desired(f"a-{request_id()}"), acquirer.desired(full, key=made_key()))
    listed = acquirer.session.webhook_configs.ListWebhookConfigs(wp.ListWebhookConfigsRequest(account=acquirer.account))
    assert [config.name for config in listed.webhook_configs] == [made.name]
    assert len(acquirer.get(made.name).keys) == 16


@pytest.mark.parametrize("key", ["short", "A" * 44, "!" * 43 + "=", "A" * 42 + "B="])
def test_a_key_is_the_base64_of_32_bytes(acquirer: Acquirer, key: str) -> None:
    with refused("INVALID_ARGUMENT", "FIELD_INVALID") as told:
        acquirer.create(key=key)
    assert key not in told.text


def test_the_current_key_is_no_new_one(acquirer: Acquirer) -> None:
    key = made_key()
    made = acquirer.create(key=key)
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        acquirer.rotate(made.name, key)


def test_secrets_are_neither_in_the_log_nor_in_the_database(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with running_core() as core:
        acquirer = open_acquirer(core)
        key, other = made_key(), made_key()
        made = acquirer.create(key=key)
        acquirer.agree()
        acquirer.rotate(made.name, other)
        acquirer.agree()
        acquirer.refresh()
        acquirer.show()
        for wrong in (key[:-1], key):
            with pytest.raises(Exception, match="StatusCode"):
                acquirer.create(key=wrong)
        opens(acquirer, made, made_key())
        core.core.store.close()
        kept = b"".join(path.read_bytes() for path in (core.folder / "data").rglob("*.sqlite*"))
    log = "".join(capfd.readouterr())
    for text in (key, other, *SECRETS.values()):
        assert text not in log
        assert text.encode() not in kept
    for text in (key, other):
        assert base64.b64decode(text) not in kept
    assert made.name.encode() in kept


def test_the_gateway_alone_may_have_notifications_opened(acquirer: Acquirer) -> None:
    made = acquirer.create()
    request = np.RecordAcquirerNotificationRequest(
        webhook_config_id=made.desired.webhook_config_id,
        ciphertext=b"x",
        initialization_vector=b"i" * 12,
        authentication_tag=b"t" * 16,
        correlation_id="c",
    )
    with refused("PERMISSION_DENIED", "SCOPE_MISSING"):
        acquirer.core.dispatcher.acquirer_notifications.RecordAcquirerNotification(request)
