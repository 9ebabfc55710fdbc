"""Accounts: what a plan says for each difference between what is held and what is stated."""

from dataclasses import replace

import pytest

from server.domain import accounts, names
from server.domain.accounts import Account, AccountAction, AccountMode, AccountProvider, InboundAuthentication
from server.domain.refusals import FieldInvalid

D1, TSH = AccountProvider.D1_ECOM, AccountProvider.TSH
OAUTH, CERTIFICATE, API_KEY, *_ = InboundAuthentication
CHANGES = {
    "display_name": "new",
    "mode": AccountMode.LIVE,
    "merchant_gateway_id": "other",
    "merchant_ids": ("m",),
    "inbound_authentication": CERTIFICATE,
}


def account(account_id: str, provider: AccountProvider = D1, gateway: str = "") -> Account:
    authentication = accounts.DOCUMENTED_AUTHENTICATION[provider]
    name = names.account(account_id)
    return Account(
        name, account_id, provider, "", AccountMode.TEST, gateway or account_id, (), authentication, "", 5, 5
    )


def actions(held: list[Account], stated: list[Account], *, delete: bool) -> list[tuple[str, AccountAction]]:
    by_name = {each.name: each for each in held}
    planned = accounts.plan(by_name, stated, 9, delete_missing=delete)
    return [(change.account.partition("/")[2], change.action) for change in planned]


@pytest.mark.parametrize("delete", [True, False])
def test_every_difference(delete: bool) -> None:
    same, changed, gone, new = (account(each) for each in "scgn")
    stated = [replace(changed, display_name="x"), new, replace(same, create_time=0, revision=7)]
    expected = [("c", AccountAction.UPDATE), ("n", AccountAction.CREATE), ("s", AccountAction.NONE)]
    if delete:
        expected.insert(1, ("g", AccountAction.DELETE))
    assert actions([same, changed, gone], stated, delete=delete) == expected


@pytest.mark.parametrize("field", CHANGES)
def test_every_field_that_is_stated_can_differ(field: str) -> None:
    before = account("a")
    changed = replace(before, **{field: CHANGES[field]})  # type: ignore[arg-type]  # each its own
    (change,) = accounts.plan({before.name: before}, [changed], 9, delete_missing=False)
    assert (change.action, change.fields) == (AccountAction.UPDATE, (field,))
    assert change.after == replace(changed, update_time=9, revision=2)


@pytest.mark.parametrize(
    ("provider", "authentication", "possible"),
    [
        (D1, OAUTH, True),
        (D1, CERTIFICATE, True),
        (D1, API_KEY, False),
        (TSH, OAUTH, False),
        (TSH, CERTIFICATE, False),
        (TSH, API_KEY, True),
    ],
)
def test_how_a_partner_can_be_authenticated(
    provider: AccountProvider, authentication: InboundAuthentication, possible: bool
) -> None:
    stated = replace(account("a", provider), inbound_authentication=authentication)
    if possible:
        accounts.check([stated], ())
    else:
        with pytest.raises(FieldInvalid):
            accounts.check([stated], ())


def test_a_gateway_has_one_account_a_provider() -> None:
    first, second = account("a", D1, "g"), account("b", D1, "g")
    accounts.check([first, account("b", TSH, "g")], ())
    for stated, staying in (([first, second], []), ([second], [first])):
        with pytest.raises(FieldInvalid):
            accounts.check(stated, staying)
    assert actions([first], [second], delete=True) == [("a", AccountAction.DELETE), ("b", AccountAction.CREATE)]
