"""AccountsService: the accounts become what the operator states."""

from typing import Any

import pytest
from mintmark.v1 import accounts_pb2 as pb
from mintmark.v1 import events_pb2

from tests.server.rpc.running import RunningCore, refused, request_id

D1, TSH = pb.AccountProvider.ACCOUNT_PROVIDER_D1_ECOM, pb.AccountProvider.ACCOUNT_PROVIDER_TSH
AUTHENTICATION = pb.InboundAuthentication


def stated(account_id: str, provider: pb.AccountProvider.ValueType = D1, **fields: Any) -> pb.Account:
    given = {"merchant_gateway_id": f"MGW_{account_id}", **fields}
    return pb.Account(account_id=account_id, provider=provider, **given)


Change = tuple[str, str, list[str]]


def words(changes: Any) -> list[Change]:
    return [
        (
            each.account.removeprefix("partnerAccounts/"),
            pb.AccountAction.Name(each.action).removeprefix("ACCOUNT_ACTION_"),
            sorted(each.fields),
        )
        for each in changes
    ]


def plan(core: RunningCore, *accounts: pb.Account, delete: bool = False) -> list[Change]:
    request = pb.PlanAccountsRequest(accounts=accounts, delete_missing=delete)
    return words(core.admin.accounts.PlanAccounts(request).changes)


def apply(core: RunningCore, *accounts: pb.Account, delete: bool = False) -> list[Change]:
    request = pb.ApplyAccountsRequest(request_id=request_id(), accounts=accounts, delete_missing=delete)
    return words(core.admin.accounts.ApplyAccounts(request).changes)


@pytest.fixture(autouse=True)
def _no_accounts(core: RunningCore) -> None:
    """A plan is about all accounts, so each test begins with none."""
    apply(core, delete=True)


def listed(core: RunningCore) -> list[pb.Account]:
    return list(core.admin.accounts.ListAccounts(pb.ListAccountsRequest()).accounts)


def test_accounts_become_what_is_stated(core: RunningCore) -> None:
    cursor = core.admin.head()
    first = [stated("b", TSH), stated("a", merchant_ids=["m-2", "m-1"], display_name="A")]
    created: list[Change] = [("a", "CREATE", []), ("b", "CREATE", [])]
    assert plan(core, *first) == created
    assert listed(core) == []
    assert apply(core, *first) == created
    assert apply(core, *first) == [("a", "NONE", []), ("b", "NONE", [])]
    changed = [stated("a", display_name="A", mode=pb.AccountMode.ACCOUNT_MODE_LIVE), stated("c")]
    differing = [("a", "UPDATE", ["merchant_ids", "mode"]), ("c", "CREATE", [])]
    assert plan(core, *changed) == differing
    assert plan(core, *changed, delete=True) == [differing[0], ("b", "DELETE", []), differing[1]]
    assert apply(core, *changed) == differing
    assert [account.account_id for account in listed(core)] == ["a", "b", "c"]
    assert apply(core, *changed, delete=True) == [("a", "NONE", []), ("b", "DELETE", []), ("c", "NONE", [])]
    assert [account.account_id for account in listed(core)] == ["a", "c"]
    kinds = [
        events_pb2.EventKind.Name(event.kind).removeprefix("EVENT_KIND_ACCOUNT_")
        for event in core.admin.events_after(cursor)
    ]
    assert kinds == ["CREATED", "CREATED", "UPDATED", "CREATED", "DELETED"]


def test_what_is_not_stated_is_as_documented(core: RunningCore) -> None:
    apply(core, stated("d1"), stated("tsh", TSH))
    d1, tsh = listed(core)
    assert d1.inbound_authentication == AUTHENTICATION.INBOUND_AUTHENTICATION_OAUTH
    assert tsh.inbound_authentication == AUTHENTICATION.INBOUND_AUTHENTICATION_API_KEY
    assert d1.mode == tsh.mode == pb.AccountMode.ACCOUNT_MODE_TEST
    assert d1.name == "partnerAccounts/d1"
    assert d1.create_time == d1.update_time
    # What comes out can go in again: output fields are ignored.
    assert apply(core, d1, tsh) == [("d1", "NONE", []), ("tsh", "NONE", [])]
    assert core.admin.accounts.GetAccount(pb.GetAccountRequest(name=d1.name)).account == d1
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        core.admin.accounts.GetAccount(pb.GetAccountRequest(name="partnerAccounts/nothing"))


def test_a_changed_account_keeps_its_creation_and_changes_its_etag(core: RunningCore) -> None:
    apply(core, stated("a"))
    (before,) = listed(core)
    apply(core, stated("a", display_name="new"))
    (after,) = listed(core)
    assert after.create_time == before.create_time
    assert after.etag != before.etag


@pytest.mark.parametrize(
    ("accounts", "field"),
    [
        ([stated("a"), stated("a", TSH)], "accounts[1].account_id"),
        ([stated("a"), stated("b", merchant_gateway_id="MGW_a")], "accounts[1].merchant_gateway_id"),
        (
            [stated("a", TSH, inbound_authentication=AUTHENTICATION.INBOUND_AUTHENTICATION_OAUTH)],
            "accounts[0].inbound_authentication",
        ),
        (
            [stated("a", inbound_authentication=AUTHENTICATION.INBOUND_AUTHENTICATION_API_KEY)],
            "accounts[0].inbound_authentication",
        ),
        ([stated("a", client_certificate_common_name="cn")], "accounts[0].client_certificate_common_name"),
        ([stated("good"), stated("bad id")], "accounts[1].account_id"),
        ([stated("a", merchant_gateway_id="*")], "accounts[0].merchant_gateway_id"),
    ],
)
def test_accounts_that_cannot_be_are_refused_all_together(
    core: RunningCore, accounts: list[pb.Account], field: str
) -> None:
    for run in (plan, apply):
        with refused("INVALID_ARGUMENT", "FIELD_INVALID") as told:
            run(core, *accounts)
        assert told.metadata["field"] == field
    assert listed(core) == []


def test_d1_and_tsh_may_share_a_gateway(core: RunningCore) -> None:
    assert len(apply(core, stated("d1", merchant_gateway_id="g"), stated("tsh", TSH, merchant_gateway_id="g"))) == 2


def test_moving_a_gateway_from_one_account_to_another(core: RunningCore) -> None:
    apply(core, stated("a", merchant_gateway_id="g"))
    changes = apply(core, stated("b", merchant_gateway_id="g"), delete=True)
    assert changes == [("a", "DELETE", []), ("b", "CREATE", [])]


def test_a_gateway_of_an_account_that_stays_is_not_another_accounts(core: RunningCore) -> None:
    apply(core, stated("a", merchant_gateway_id="g"))
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        apply(core, stated("b", merchant_gateway_id="g"))
