"""What the acquirer has instead: shown, told of once, and healed when somebody says so."""

import hashlib

import pytest
from mintmark.v1 import tasks_pb2 as tp
from mintmark.v1 import webhook_configs_pb2 as wp

from tests.server.rpc.configuring import LIST, REJECTED, UNKNOWN, Acquirer, open_acquirer, word
from tests.server.rpc.running import RunningCore, refused, request_id


@pytest.fixture
def acquirer(moving: RunningCore) -> Acquirer:
    return open_acquirer(moving)


def changed(listed: tp.ListedWebhook, **fields: object) -> tp.ListedWebhook:
    made = tp.ListedWebhook()
    made.CopyFrom(listed)
    for name, value in fields.items():
        if name == "payment_method_codes":
            del made.payment_method_codes[:]
            made.payment_method_codes.extend(value)  # type: ignore[arg-type]  # texts
        else:
            setattr(made, name, value)
    return made


def differences(config: wp.WebhookConfig) -> dict[str, tuple[str, str]]:
    return {each.field: (each.desired, each.observed) for each in config.differences}


def applied(acquirer: Acquirer, **fields: str) -> wp.WebhookConfig:
    made = acquirer.create(**fields)
    acquirer.agree()
    return acquirer.get(made.name)


def test_agreement_is_seen(acquirer: Acquirer) -> None:
    made = applied(acquirer)
    assert acquirer.refresh() == [made.name]
    assert acquirer.get(made.name).refresh_pending
    assert acquirer.show() == 0
    found = acquirer.get(made.name)
    assert (word(found), found.refresh_pending, found.observed.present) == ("APPLIED", False, True)
    assert (found.observed.key, found.observed.foreign_key) == (found.keys[0].name, False)
    assert not found.differences


@pytest.mark.parametrize(
    ("behind_our_back", "field", "seen"),
    [
        ({"value": "https://evil.example/x"}, "value", "https://evil.example/x"),
        ({"payment_method_codes": ["CARD"]}, "payment_method_codes", "CARD"),
        ({"support_email": "x@y"}, "support_email", "x@y"),
        ({"algorithm": "AES-128"}, "algorithm", "AES-128"),
        ({"channel_text": "EMAIL"}, "channel", "EMAIL"),
        ({"key_digest": hashlib.sha256(b"other").digest()}, "key", "foreign"),
    ],
)
def test_what_differs_is_named_and_applying_heals_it(
    acquirer: Acquirer, behind_our_back: dict[str, object], field: str, seen: str
) -> None:
    made = applied(acquirer)
    cursor = acquirer.core.admin.head()
    acquirer.refresh(made.name)
    (task,) = acquirer.claim(LIST)
    assert acquirer.answer_list(task, [changed(acquirer.listed()[0], **behind_our_back)]) == 1
    found = acquirer.get(made.name)
    assert word(found) == "DRIFTED"
    assert {name: observed for name, (_, observed) in differences(found).items()} == {field: seen}
    assert acquirer.kinds(cursor) == ["WEBHOOK_CONFIG_DRIFTED"]
    # Nothing heals it by itself.
    assert acquirer.claim() == []
    config_id = found.desired.webhook_config_id
    assert acquirer.apply(acquirer.desired(config_id)) == {config_id: ("REAPPLY", [field])}
    acquirer.agree()
    acquirer.refresh(made.name)
    assert acquirer.show() == 0
    assert acquirer.state_of(made.name) == "APPLIED"


def test_what_is_gone_is_drift_and_is_created_again(acquirer: Acquirer) -> None:
    made = applied(acquirer)
    acquirer.refresh(made.name)
    (task,) = acquirer.claim(LIST)
    acquirer.answer_list(task, [])
    found = acquirer.get(made.name)
    assert differences(found) == {"present": ("true", "false")}
    acquirer.apply(acquirer.desired(found.desired.webhook_config_id))
    (task,) = acquirer.claim()
    assert task.application.presence == wp.WEBHOOK_PRESENCE_ABSENT


def test_the_same_drift_is_told_once_and_its_end_too(acquirer: Acquirer) -> None:
    made = applied(acquirer)
    cursor = acquirer.core.admin.head()
    for listed in ([changed(acquirer.listed()[0], value="https://x.example")] * 2, acquirer.listed()):
        acquirer.refresh(made.name)
        (task,) = acquirer.claim(LIST)
        acquirer.answer_list(task, list(listed)[:1])
    assert acquirer.kinds(cursor) == ["WEBHOOK_CONFIG_DRIFTED", "WEBHOOK_CONFIG_UPDATED"]
    assert acquirer.state_of(made.name) == "APPLIED"


def test_an_old_key_of_ours_is_drift_and_named(acquirer: Acquirer) -> None:
    made = applied(acquirer)
    before = acquirer.listed()
    acquirer.rotate(made.name)
    acquirer.agree()
    acquirer.refresh(made.name)
    (task,) = acquirer.claim(LIST)
    acquirer.answer_list(task, before)
    found = acquirer.get(made.name)
    assert differences(found) == {"key": (f"{made.name}/keys/2", f"{made.name}/keys/1")}


def test_what_a_list_does_not_tell_is_not_compared(acquirer: Acquirer) -> None:
    made = applied(acquirer)
    acquirer.refresh(made.name)
    (task,) = acquirer.claim(LIST)
    bare = changed(acquirer.listed()[0], payment_method_codes=[], key_digest=b"", algorithm="", channel_text="url")
    code = made.notification_configuration_code.replace("-", "").upper()
    assert acquirer.answer_list(task, [changed(bare, notification_configuration_code=code)]) == 0
    assert acquirer.state_of(made.name) == "APPLIED"


def test_a_list_that_was_asked_before_a_change_says_nothing_of_it(acquirer: Acquirer) -> None:
    made = applied(acquirer)
    before = acquirer.listed()
    acquirer.refresh(made.name)
    (task,) = acquirer.claim(LIST)
    acquirer.update(made.name, payment_method_codes=["XPAY"])
    acquirer.agree()
    assert acquirer.answer_list(task, before) == 0
    found = acquirer.get(made.name)
    assert (word(found), found.refresh_pending) == ("APPLIED", False)


def test_a_refresh_that_was_wanted_meanwhile_asks_again(acquirer: Acquirer) -> None:
    made = applied(acquirer)
    acquirer.refresh(made.name)
    (task,) = acquirer.claim(LIST)
    acquirer.refresh(made.name)
    acquirer.answer_list(task)
    assert acquirer.get(made.name).refresh_pending
    acquirer.show()
    assert not acquirer.get(made.name).refresh_pending


def test_what_we_know_nothing_of_is_listed_apart(acquirer: Acquirer) -> None:
    made = applied(acquirer)
    foreign = changed(
        acquirer.listed()[0],
        notification_configuration_code="F-1",
        value="https://x.example/4111111111111111",
        key_digest=b"k" * 32,
    )
    acquirer.refresh(made.name)
    (task,) = acquirer.claim(LIST)
    acquirer.answer_list(task, [*acquirer.listed(), foreign])
    request = wp.ListUnmanagedWebhooksRequest(account=acquirer.account)
    (found,) = acquirer.session.webhook_configs.ListUnmanagedWebhooks(request).unmanaged_webhooks
    assert (found.notification_configuration_code, found.observed.foreign_key, found.observed.key) == ("F-1", True, "")
    assert "4111111111111111" not in found.observed.value
    stranger = acquirer.core.client(["webhook_configs.read"], ["ELSEWHERE"])
    assert not stranger.webhook_configs.ListUnmanagedWebhooks(request).unmanaged_webhooks
    acquirer.refresh(made.name)
    acquirer.show()
    assert not acquirer.session.webhook_configs.ListUnmanagedWebhooks(request).unmanaged_webhooks


def test_what_was_deleted_and_is_there_again_is_unmanaged(acquirer: Acquirer) -> None:
    acquirer.state(delete_by_update=True)
    made = applied(acquirer)
    before = acquirer.listed()
    acquirer.delete(made.name)
    acquirer.agree()
    other = applied(acquirer)
    acquirer.refresh(other.name)
    (task,) = acquirer.claim(LIST)
    acquirer.answer_list(task, [*before, *acquirer.listed()])
    request = wp.ListUnmanagedWebhooksRequest(account=acquirer.account)
    (found,) = acquirer.session.webhook_configs.ListUnmanagedWebhooks(request).unmanaged_webhooks
    assert found.notification_configuration_code == made.notification_configuration_code
    assert acquirer.state_of(made.name) == "DELETED"


def test_an_account_that_heals_drift_applies_it_again_by_itself(acquirer: Acquirer) -> None:
    acquirer.state(heal_drift=True)
    made = applied(acquirer)
    acquirer.refresh(made.name)
    (task,) = acquirer.claim(LIST)
    acquirer.answer_list(task, [changed(acquirer.listed()[0], value="https://x.example")])
    assert acquirer.state_of(made.name) == "PENDING"
    acquirer.agree()
    assert acquirer.state_of(made.name) == "APPLIED"


def test_a_list_that_cannot_be_had_is_tried_again_and_given_up_when_refused(acquirer: Acquirer) -> None:
    made = applied(acquirer)
    acquirer.refresh(made.name)
    (task,) = acquirer.claim(LIST)
    acquirer.answer_list(task, [], outcome=UNKNOWN)
    acquirer.answer_list(task, [], outcome=UNKNOWN)
    assert acquirer.get(made.name).refresh_pending
    acquirer.core.advance(301)
    (task,) = acquirer.claim(LIST)
    acquirer.answer_list(task, [], outcome=REJECTED, status_code="E1")
    found = acquirer.get(made.name)
    assert (word(found), found.refresh_pending, found.calls[0].status_code) == ("APPLIED", False, "E1")


def test_a_rejected_config_that_is_there_as_desired_is_applied(acquirer: Acquirer) -> None:
    made = applied(acquirer)
    acquirer.update(made.name, payment_method_codes=["XPAY"])
    (task,) = acquirer.claim()
    acquirer.has[made.notification_configuration_code] = task.application
    from tests.server.rpc.configuring import call

    acquirer.report(task, call(REJECTED))
    acquirer.refresh(made.name)
    acquirer.show()
    assert acquirer.state_of(made.name) == "APPLIED"


def test_the_acquirer_is_asked_for_an_accounts_merchants_too(acquirer: Acquirer) -> None:
    made = applied(acquirer, terminal_id="5")
    from mintmark.v1 import accounts_pb2 as ap

    from tests.server.rpc.configuring import sibs_account

    stated = sibs_account(acquirer.account.removeprefix("partnerAccounts/"), acquirer.gateway)
    stated.merchant_ids.extend(["1000000001", "1000000002"])
    request = ap.ApplyAccountsRequest(request_id=request_id(), accounts=[stated])
    acquirer.core.admin.accounts.ApplyAccounts(request)
    assert acquirer.refresh() == [made.name]
    scopes = {(each.listing.merchant_id, each.listing.terminal_id) for each in acquirer.claim(LIST)}
    assert scopes == {("1000000001", ""), ("1000000002", ""), ("1000000001", "5")}


def test_a_refresh_names_what_it_means(acquirer: Acquirer) -> None:
    request = wp.RefreshWebhookConfigsRequest(request_id=request_id())
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        acquirer.session.webhook_configs.RefreshWebhookConfigs(request)
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        acquirer.refresh("webhookConfigs/nothing")


def test_a_refresh_of_an_account_is_of_what_the_caller_may_see(acquirer: Acquirer) -> None:
    made = applied(acquirer)
    applied(acquirer, merchant_id="1000000002")
    seeing = acquirer.core.client(["webhook_configs.write"], [acquirer.gateway], [made.desired.merchant_id])
    request = wp.RefreshWebhookConfigsRequest(request_id=request_id(), account=acquirer.account)
    assert list(seeing.webhook_configs.RefreshWebhookConfigs(request).names) == [made.name]
    assert {task.listing.merchant_id for task in acquirer.claim(LIST)} == {made.desired.merchant_id}


def test_nobody_else_asks_and_the_steward_does(acquirer: Acquirer) -> None:
    """Once a day the acquirer is asked what it has."""
    from server.services.webhook_chores import WebhookTimes

    made = applied(acquirer)
    chore = WebhookTimes(acquirer.core.core.webhooks)
    acquirer.core.advance(3600)
    chore.wanted()
    chore.step()
    assert not acquirer.get(made.name).refresh_pending
    acquirer.core.advance(24 * 3600)
    assert chore.wanted()
    chore.step()
    assert acquirer.get(made.name).refresh_pending
    assert acquirer.show() == 0
    assert acquirer.state_of(made.name) == "APPLIED"
