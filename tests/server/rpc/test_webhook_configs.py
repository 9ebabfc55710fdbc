"""Webhook configs from wish to agreement: what the acquirer is asked, and what becomes of a config."""

import base64

import pytest
from mintmark.v1 import accounts_pb2
from mintmark.v1 import webhook_configs_pb2 as wp

from tests.server.rpc.configuring import (
    APPLY,
    MERCHANT,
    NOT_SENT,
    REJECTED,
    UNKNOWN,
    Acquirer,
    call,
    made_key,
    open_acquirer,
    word,
)
from tests.server.rpc.running import RunningCore, refused, request_id


@pytest.fixture
def acquirer(moving: RunningCore) -> Acquirer:
    return open_acquirer(moving, support_email="ops@example.com")


def test_a_config_is_asked_for_with_everything_and_applied(acquirer: Acquirer) -> None:
    cursor = acquirer.core.admin.head()
    made = acquirer.create("shop-1", acceptor_id="22", terminal_id="333")
    assert (word(made), made.generation, made.own_address) == ("PENDING", 1, True)
    assert made.desired.value.endswith("/sibs/notifications/shop-1")
    (task,) = acquirer.claim(APPLY)
    assert acquirer.state_of(made.name) == "APPLYING"
    asked = task.application
    assert (asked.webhook_config, asked.generation, asked.delete) == (made.name, 1, False)
    assert asked.presence == wp.WEBHOOK_PRESENCE_ABSENT
    assert (asked.merchant_id, asked.acceptor_id, asked.terminal_id) == (MERCHANT, "22", "333")
    assert (asked.value, asked.support_email, asked.algorithm) == (made.desired.value, "ops@example.com", "AES-256-GCM")
    assert list(asked.payment_method_codes) == ["BLIK", "CARD"]
    assert len(base64.b64decode(asked.key)) == 32
    assert len(asked.notification_configuration_code) == 36
    endpoint = asked.endpoint
    assert (endpoint.base_url, endpoint.version_id) == ("https://acquirer.example", "v1")
    assert (endpoint.client_id, endpoint.token_source.access_token) == ("CLIENT-ID-CANARY", "ACCESS-TOKEN-CANARY")
    assert endpoint.user_id == endpoint.user_organization_id == "admin"
    assert (endpoint.field_names.value, endpoint.field_names.key) == ("value", "key")
    assert acquirer.report(task) == "APPLIED"
    applied = acquirer.get(made.name)
    assert (applied.applied_generation, applied.presence) == (1, wp.WEBHOOK_PRESENCE_PRESENT)
    (key,) = applied.keys
    assert key.current
    assert key.HasField("apply_time")
    assert not key.HasField("expire_time")
    assert acquirer.claim() == []
    assert acquirer.kinds(cursor) == ["WEBHOOK_CONFIG_CREATED", "WEBHOOK_CONFIG_UPDATED"]


def test_no_answer_ever_shows_a_key_or_a_secret(acquirer: Acquirer) -> None:
    given = made_key()
    made = acquirer.create("canary-1", key=given)
    acquirer.agree()
    acquirer.rotate(made.name)
    acquirer.refresh()
    acquirer.agree()
    acquirer.show()
    admin = acquirer.core.admin.webhook_configs
    account = acquirer.core.admin.accounts
    shown = [
        acquirer.get(made.name),
        admin.ListWebhookConfigs(wp.ListWebhookConfigsRequest(account=acquirer.account)),
        admin.ListUnmanagedWebhooks(wp.ListUnmanagedWebhooksRequest(account=acquirer.account)),
        *acquirer.core.admin.events_after("0", merchant_gateway_id=acquirer.gateway),
        account.ListAccounts(accounts_pb2.ListAccountsRequest(page_size=1000)),
    ]
    for secret in (given, "CANARY", *(each.key for each in acquirer.has.values())):
        assert not [message for message in shown if secret in str(message)]


def test_a_change_is_a_new_generation_and_an_update(acquirer: Acquirer) -> None:
    made = acquirer.create("shop-2")
    acquirer.agree()
    changed = acquirer.update(made.name, "payment_method_codes", payment_method_codes=["BNPL"])
    assert (word(changed), changed.generation, changed.applied_generation) == ("PENDING", 2, 1)
    (task,) = acquirer.claim(APPLY)
    assert task.application.presence == wp.WEBHOOK_PRESENCE_PRESENT
    assert list(task.application.payment_method_codes) == ["BNPL"]
    acquirer.report(task)
    again = acquirer.update(made.name, "payment_method_codes", payment_method_codes=["BNPL"])
    assert (word(again), again.generation) == ("APPLIED", 2)


def test_the_acknowledgements_code_is_ours_alone(acquirer: Acquirer) -> None:
    made = acquirer.create("shop-ack")
    acquirer.agree()
    changed = acquirer.update(made.name, acknowledgement_status_code="000")
    assert (word(changed), changed.generation) == ("APPLIED", 1)
    assert changed.desired.acknowledgement_status_code == "000"
    assert acquirer.claim() == []


def test_an_answer_for_an_earlier_generation_applies_nothing(acquirer: Acquirer) -> None:
    made = acquirer.create("shop-3")
    (first,) = acquirer.claim(APPLY)
    acquirer.update(made.name, support_email="other@example.com")
    # The first may still be on its way: nobody gets the second before it has been heard of.
    assert acquirer.claim(APPLY) == []
    assert acquirer.report(first) == "PENDING"
    assert acquirer.get(made.name).applied_generation == 0
    (second,) = acquirer.claim(APPLY)
    assert (second.application.generation, second.application.presence) == (2, wp.WEBHOOK_PRESENCE_UNSPECIFIED)
    assert acquirer.report(second) == "APPLIED"
    assert acquirer.report(first) == "APPLIED"
    assert acquirer.get(made.name).applied_generation == 2


def test_a_report_that_comes_twice_counts_once(acquirer: Acquirer) -> None:
    made = acquirer.create()
    (task,) = acquirer.claim(APPLY)
    calls = [call(UNKNOWN, trouble="read_timeout"), call(wp.ACQUIRER_CALL_OUTCOME_ACCEPTED)]
    assert acquirer.report(task, *calls) == "APPLIED"
    first = acquirer.get(made.name)
    assert acquirer.report(task, *calls) == "APPLIED"
    assert acquirer.get(made.name) == first
    assert [each.generation for each in first.calls] == [1, 1]


def test_what_is_unknown_is_looked_up_before_it_is_asked_for_again(moving: RunningCore) -> None:
    acquirer = open_acquirer(moving)
    made = acquirer.create()
    for outcome in (UNKNOWN, NOT_SENT):
        (task,) = acquirer.claim(APPLY)
        assert acquirer.report(task, call(outcome, trouble="read_timeout")) == "PENDING"
        assert acquirer.report(task, call(outcome, trouble="read_timeout")) == "PENDING"
        assert acquirer.get(made.name).last_call.trouble == "read_timeout"
        moving.advance(301)
    (task,) = acquirer.claim(APPLY)
    assert task.application.presence == wp.WEBHOOK_PRESENCE_UNSPECIFIED
    assert acquirer.report(task) == "APPLIED"
    assert [each.outcome for each in acquirer.get(made.name).calls][1:] == [NOT_SENT, UNKNOWN]


def test_a_dispatcher_that_dies_leaves_the_task_to_another_who_looks_first(moving: RunningCore) -> None:
    acquirer = open_acquirer(moving)
    acquirer.create()
    (first,) = acquirer.claim(APPLY)
    moving.advance(61)
    (second,) = acquirer.claim(APPLY)
    assert (second.name, second.fence) == (first.name, first.fence + 1)
    assert second.application.presence == wp.WEBHOOK_PRESENCE_UNSPECIFIED
    # What the first found out counts: it asked for the same.
    assert acquirer.report(first) == "APPLIED"
    assert acquirer.report(second) == "APPLIED"
    assert acquirer.claim() == []


def test_a_rejection_stays_until_somebody_wants_it_again(moving: RunningCore) -> None:
    acquirer = open_acquirer(moving)
    made = acquirer.create("shop-no-" + request_id()[:8])
    (task,) = acquirer.claim(APPLY)
    said = {"transaction_status": "RJCT", "status_code": "999", "status_message": "Unexpected Error"}
    assert acquirer.report(task, call(REJECTED, http_status=200, **said)) == "REJECTED"
    found = acquirer.get(made.name)
    assert (found.last_call.transaction_status, found.last_call.status_code) == ("RJCT", "999")
    assert found.last_call.tpp_request_id
    moving.advance(3600)
    assert acquirer.claim(APPLY) == []
    config_id = made.desired.webhook_config_id
    assert acquirer.plan(acquirer.desired(config_id)) == {config_id: ("REAPPLY", [])}
    acquirer.apply(acquirer.desired(config_id))
    (task,) = acquirer.claim(APPLY)
    assert task.application.presence == wp.WEBHOOK_PRESENCE_UNSPECIFIED
    assert acquirer.report(task) == "APPLIED"


def test_a_code_that_was_never_taken_changes_its_form(acquirer: Acquirer) -> None:
    made = acquirer.create("shop-code")
    (task,) = acquirer.claim(APPLY)
    acquirer.report(task, call(REJECTED))
    acquirer.state(code_without_hyphens=True)
    acquirer.apply(acquirer.desired("shop-code"))
    (task,) = acquirer.claim(APPLY)
    code = task.application.notification_configuration_code
    assert code == made.notification_configuration_code.replace("-", "")
    acquirer.report(task)
    acquirer.state()
    acquirer.update(made.name, payment_method_codes=["CARD"])
    (task,) = acquirer.claim(APPLY)
    assert task.application.notification_configuration_code == code


def test_an_email_config_has_no_key(acquirer: Acquirer) -> None:
    made = acquirer.create("mail-1", channel=wp.NOTIFICATION_CHANNEL_EMAIL, value="books@example.com")
    assert not made.keys
    (task,) = acquirer.claim(APPLY)
    asked = task.application
    assert (asked.channel, asked.value, asked.key) == (wp.NOTIFICATION_CHANNEL_EMAIL, "books@example.com", "")
    assert (asked.algorithm, asked.support_email) == ("", "")
    acquirer.report(task)
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        acquirer.rotate(made.name)
    now = acquirer.update(made.name, "channel", "value", channel=wp.NOTIFICATION_CHANNEL_URL)
    assert [key.current for key in now.keys] == [True]


def test_a_config_that_was_never_sent_is_deleted_at_once(acquirer: Acquirer) -> None:
    made = acquirer.create("never-sent")
    assert word(acquirer.delete(made.name)) == "DELETED"
    assert acquirer.claim() == []
    assert word(acquirer.delete(made.name)) == "DELETED"
    with refused("FAILED_PRECONDITION", "WEBHOOK_CONFIG_STATE_UNFIT"):
        acquirer.rotate(made.name)
    with refused("ALREADY_EXISTS", "RESOURCE_EXISTS"):
        acquirer.create("never-sent")


def test_what_the_acquirer_may_have_is_deleted_only_where_the_account_allows_it(acquirer: Acquirer) -> None:
    made = acquirer.create("forget-me")
    acquirer.agree()
    with refused("FAILED_PRECONDITION", "WEBHOOK_DELETE_NOT_POSSIBLE") as told:
        acquirer.delete(made.name)
    assert told.metadata == {"webhook_config": made.name}
    acquirer.state(delete_by_update=True)
    assert word(acquirer.delete(made.name)) == "DELETING"
    (task,) = acquirer.claim(APPLY)
    assert task.application.delete
    assert task.application.key
    assert acquirer.report(task) == "DELETED"
    found = acquirer.get(made.name)
    assert (found.presence, [key.current for key in found.keys]) == (wp.WEBHOOK_PRESENCE_ABSENT, [False])
    listed = acquirer.session.webhook_configs.ListWebhookConfigs(wp.ListWebhookConfigsRequest(account=acquirer.account))
    assert not listed.webhook_configs


def test_what_was_deleted_in_the_backoffice_can_be_deleted_here(acquirer: Acquirer) -> None:
    made = acquirer.create("backoffice")
    acquirer.agree()
    acquirer.has.clear()
    acquirer.refresh(made.name)
    assert acquirer.show() == 1
    assert word(acquirer.delete(made.name)) == "DELETED"


def test_wait_tells_when_a_config_has_settled(acquirer: Acquirer) -> None:
    made = acquirer.create("waited")
    request = wp.WaitWebhookConfigRequest(name=made.name)
    request.timeout.FromMilliseconds(1)
    assert not acquirer.session.webhook_configs.WaitWebhookConfig(request).settled
    acquirer.agree()
    answer = acquirer.session.webhook_configs.WaitWebhookConfig(wp.WaitWebhookConfigRequest(name=made.name))
    assert (answer.settled, word(answer.webhook_config)) == (True, "APPLIED")
    acquirer.refresh(made.name)
    assert not acquirer.session.webhook_configs.WaitWebhookConfig(request).settled
    acquirer.show()
    assert acquirer.session.webhook_configs.WaitWebhookConfig(request).settled


def test_an_etag_keeps_changes_apart(acquirer: Acquirer) -> None:
    made = acquirer.create("etag")
    request = wp.DeleteWebhookConfigRequest(request_id=request_id(), name=made.name, etag="99")
    with refused("FAILED_PRECONDITION", "ETAG_MISMATCH"):
        acquirer.session.webhook_configs.DeleteWebhookConfig(request)


def test_only_who_may_see_the_merchant_sees_its_configs(acquirer: Acquirer) -> None:
    made = acquirer.create("tenancy")
    core, scopes = acquirer.core, ["webhook_configs.read", "webhook_configs.write"]
    seeing = core.client(scopes, [acquirer.gateway], [MERCHANT])
    other = core.client(scopes, [acquirer.gateway], ["1000000002"])
    foreign = core.client(scopes, ["ELSEWHERE"])
    get = wp.GetWebhookConfigRequest(name=made.name)
    assert seeing.webhook_configs.GetWebhookConfig(get).webhook_config.name == made.name
    for stranger in (other, foreign):
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
            stranger.webhook_configs.GetWebhookConfig(get)
        assert not stranger.webhook_configs.ListWebhookConfigs(wp.ListWebhookConfigsRequest()).webhook_configs
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
            stranger.webhook_configs.RotateWebhookKey(
                wp.RotateWebhookKeyRequest(request_id=request_id(), name=made.name)
            )
    theirs = wp.CreateWebhookConfigRequest(request_id=request_id(), desired=acquirer.desired("x-1"))
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        foreign.webhook_configs.CreateWebhookConfig(theirs)
    with refused("INVALID_ARGUMENT", "FIELD_INVALID") as told:
        other.webhook_configs.CreateWebhookConfig(theirs)
    assert told.violations == {"desired.merchant_id": "merchant"}
