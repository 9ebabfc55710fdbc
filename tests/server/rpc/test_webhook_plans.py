"""Webhook configs stated as a list: what would change, what does, and every entry that is wrong."""

import pytest
from mintmark.v1 import webhook_configs_pb2 as wp

from tests.server.rpc.configuring import MERCHANT, Acquirer, made_key, open_acquirer, word
from tests.server.rpc.running import RunningCore, refused, request_id

EMAIL = wp.NOTIFICATION_CHANNEL_EMAIL


@pytest.fixture
def acquirer(moving: RunningCore) -> Acquirer:
    return open_acquirer(moving, webhook_url_prefixes=["https://hooks.example.com/sibs"], delete_by_update=True)


@pytest.fixture
def ids() -> list[str]:
    return [f"{letter}-{request_id()[:8]}" for letter in "abc"]


def test_a_list_is_planned_applied_and_applied_again(acquirer: Acquirer, ids: list[str]) -> None:
    desired = [acquirer.desired(each, terminal_id=str(place)) for place, each in enumerate(ids)]
    assert acquirer.plan(*desired) == dict.fromkeys(ids, ("CREATE", []))
    assert acquirer.claim() == []
    acquirer.apply(*desired)
    acquirer.agree()
    assert len(acquirer.has) == 3
    assert acquirer.apply(*desired) == dict.fromkeys(ids, ("NONE", []))
    assert acquirer.claim() == []
    first, second, third = ids
    desired = [
        acquirer.desired(
            first, terminal_id="0", payment_method_codes=["IDEL"], value="https://hooks.example.com/sibs/a"
        ),
        acquirer.desired(second, terminal_id="1", key=made_key()),
    ]
    planned = {
        first: ("UPDATE", ["value", "payment_method_codes"]),
        second: ("UPDATE", ["key"]),
        third: ("DELETE", []),
    }
    assert acquirer.plan(*desired, delete_missing=True) == planned
    assert acquirer.apply(*desired, delete_missing=True) == planned
    acquirer.agree()
    assert len(acquirer.has) == 2
    assert acquirer.state_of(f"webhookConfigs/{third}") == "DELETED"
    assert acquirer.apply(*desired, delete_missing=True) == dict.fromkeys((first, second), ("NONE", []))
    assert len(acquirer.get(f"webhookConfigs/{second}").keys) == 2


def test_everything_that_is_wrong_is_named_and_nothing_changes(acquirer: Acquirer, ids: list[str]) -> None:
    key = made_key()
    acquirer.apply(acquirer.desired(ids[0], key=key), acquirer.desired(ids[1]))
    acquirer.agree()
    before = acquirer.core.admin.head()
    wrong = [
        acquirer.desired(ids[0], terminal_id="7"),
        acquirer.desired("", merchant_id="", payment_method_codes=[]),
        acquirer.desired(ids[2], value="https://elsewhere.example.com/x"),
        acquirer.desired(ids[2], value="http://hooks.example.com/sibs"),
        acquirer.desired("mail", channel=EMAIL, value="nobody", support_email="a@b", key=made_key()),
        acquirer.desired("stolen", key=key),
        acquirer.desired("odd", key=key),
        acquirer.desired("up", value="https://hooks.example.com/sibs/../x"),
    ]
    expected = {
        "desired[0].terminal_id": "immutable",
        "desired[1].webhook_config_id": "required",
        "desired[1].merchant_id": "required",
        "desired[1].payment_method_codes": "required",
        "desired[2].value": "webhook_url_prefixes",
        "desired[3].value": "url",
        "desired[3].webhook_config_id": "unique",
        "desired[4].value": "email",
        "desired[4].support_email": "channel",
        "desired[4].key": "channel",
        "desired[5].key": "unique",
        "desired[6].key": "unique",
        "desired[7].value": "webhook_url_prefixes",
    }
    for run in (acquirer.plan, acquirer.apply):
        with refused("INVALID_ARGUMENT", "FIELD_INVALID") as told:
            run(*wrong, delete_missing=True)
        assert told.violations == expected
        assert key not in told.text
    assert acquirer.core.admin.head() == before
    assert acquirer.claim() == []


def test_a_replaced_key_is_refused_and_the_current_one_changes_nothing(acquirer: Acquirer, ids: list[str]) -> None:
    first, second = made_key(), made_key()
    acquirer.apply(acquirer.desired(ids[0], key=first))
    acquirer.rotate(f"webhookConfigs/{ids[0]}", second)
    assert acquirer.plan(acquirer.desired(ids[0], key=second)) == {ids[0]: ("NONE", [])}
    with refused("INVALID_ARGUMENT", "FIELD_INVALID") as told:
        acquirer.plan(acquirer.desired(ids[0], key=first))
    assert told.violations == {"desired[0].key": "unique"}
    with refused("ALREADY_EXISTS", "SECRET_IN_USE"):
        acquirer.create(ids[1], key=first)


def test_a_config_of_another_account_is_taken_and_not_told_of(acquirer: Acquirer, ids: list[str]) -> None:
    other = open_acquirer(acquirer.core)
    other.create(ids[0])
    with refused("INVALID_ARGUMENT", "FIELD_INVALID") as told:
        acquirer.apply(acquirer.desired(ids[0]))
    assert told.violations == {"desired[0].webhook_config_id": "unique"}
    assert other.account not in told.text


def test_delete_missing_leaves_alone_what_the_caller_may_not_see(acquirer: Acquirer, ids: list[str]) -> None:
    acquirer.apply(acquirer.desired(ids[0]), acquirer.desired(ids[1], merchant_id="1000000002"))
    seeing = acquirer.core.client(["webhook_configs.write"], [acquirer.gateway], [MERCHANT])
    request = wp.ApplyWebhookConfigsRequest(request_id=request_id(), account=acquirer.account, delete_missing=True)
    (change,) = seeing.webhook_configs.ApplyWebhookConfigs(request).changes
    assert change.webhook_config.endswith(ids[0])
    assert acquirer.state_of(f"webhookConfigs/{ids[1]}") == "PENDING"


def test_nothing_is_deleted_where_the_account_does_not_allow_it(acquirer: Acquirer, ids: list[str]) -> None:
    acquirer.apply(acquirer.desired(ids[0]), acquirer.desired(ids[1]))
    acquirer.agree()
    acquirer.state()
    for run in (acquirer.plan, acquirer.apply):
        with refused("FAILED_PRECONDITION", "WEBHOOK_DELETE_NOT_POSSIBLE"):
            run(acquirer.desired(ids[0], payment_method_codes=["X"]), delete_missing=True)
    assert acquirer.get(f"webhookConfigs/{ids[0]}").generation == 1


def test_a_new_default_of_the_account_is_a_change(acquirer: Acquirer, ids: list[str]) -> None:
    acquirer.apply(acquirer.desired(ids[0]))
    acquirer.agree()
    acquirer.state(support_email="new@example.com", acknowledgement_status_code="000")
    fields = ["support_email", "acknowledgement_status_code"]
    assert acquirer.apply(acquirer.desired(ids[0])) == {ids[0]: ("UPDATE", fields)}
    (task,) = acquirer.claim()
    assert task.application.support_email == "new@example.com"


def test_an_account_with_configs_stays(acquirer: Acquirer, ids: list[str]) -> None:
    from mintmark.v1 import accounts_pb2 as ap

    acquirer.create(ids[0])
    others = acquirer.core.admin.accounts.ListAccounts(ap.ListAccountsRequest(page_size=1000)).accounts
    kept = [account for account in others if account.name != acquirer.account]
    request = ap.ApplyAccountsRequest(request_id=request_id(), accounts=kept, delete_missing=True)
    with refused("FAILED_PRECONDITION", "ACCOUNT_IN_USE"):
        acquirer.core.admin.accounts.ApplyAccounts(request)
    gateway, acquirer.gateway = acquirer.gateway, "OTHER"
    with refused("FAILED_PRECONDITION", "ACCOUNT_IN_USE"):
        acquirer.state()
    acquirer.gateway = gateway


def test_configs_are_only_for_accounts_with_the_acquirer(acquirer: Acquirer) -> None:
    from mintmark.v1 import accounts_pb2 as ap

    made = ap.Account(account_id=request_id(), provider=ap.ACCOUNT_PROVIDER_TSH, merchant_gateway_id=request_id())
    acquirer.core.admin.accounts.ApplyAccounts(ap.ApplyAccountsRequest(request_id=request_id(), accounts=[made]))
    desired = acquirer.desired()
    desired.account = f"partnerAccounts/{made.account_id}"
    request = wp.CreateWebhookConfigRequest(request_id=request_id(), desired=desired)
    with refused("INVALID_ARGUMENT", "FIELD_INVALID") as told:
        acquirer.session.webhook_configs.CreateWebhookConfig(request)
    assert told.metadata["field"] == "desired.account"
    desired.account = "partnerAccounts/nobody"
    request = wp.CreateWebhookConfigRequest(request_id=request_id(), desired=desired)
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        acquirer.session.webhook_configs.CreateWebhookConfig(request)


def test_the_same_request_gives_the_same_config(acquirer: Acquirer) -> None:
    request = wp.CreateWebhookConfigRequest(request_id=request_id(), desired=acquirer.desired(key=made_key()))
    first = acquirer.session.webhook_configs.CreateWebhookConfig(request)
    assert acquirer.session.webhook_configs.CreateWebhookConfig(request) == first
    assert word(first.webhook_config) == "PENDING"
