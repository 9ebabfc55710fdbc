"""Partner accounts: our standing with partners, as operators state it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from server.domain.refusals import FieldInvalid


class AccountProvider(StrEnum):
    D1_ECOM = "D1_ECOM"
    TSH = "TSH"


class AccountMode(StrEnum):
    TEST = "TEST"
    LIVE = "LIVE"


class InboundAuthentication(StrEnum):
    OAUTH = "OAUTH"
    CERTIFICATE = "CERTIFICATE"
    API_KEY = "API_KEY"


class AccountAction(StrEnum):
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    NONE = "NONE"


DOCUMENTED_AUTHENTICATION = {
    AccountProvider.D1_ECOM: InboundAuthentication.OAUTH,
    AccountProvider.TSH: InboundAuthentication.API_KEY,
}
POSSIBLE_AUTHENTICATION = {
    AccountProvider.D1_ECOM: {InboundAuthentication.OAUTH, InboundAuthentication.CERTIFICATE},
    AccountProvider.TSH: {InboundAuthentication.API_KEY},
}


@dataclass(frozen=True, slots=True)
class Account:
    """Our standing with a partner. Times are microseconds."""

    name: str
    account_id: str
    provider: AccountProvider
    display_name: str
    mode: AccountMode
    merchant_gateway_id: str
    merchant_ids: tuple[str, ...]
    inbound_authentication: InboundAuthentication
    client_certificate_common_name: str
    create_time: int = 0
    update_time: int = 0
    revision: int = 1


STATED = tuple(
    field.name for field in fields(Account) if field.name not in {"name", "create_time", "update_time", "revision"}
)


@dataclass(frozen=True, slots=True)
class AccountChange:
    """One line of a plan. `after` is None where the account is deleted."""

    account: str
    action: AccountAction
    fields: tuple[str, ...] = ()
    after: Account | None = None


def check(desired: Collection[Account], staying: Collection[Account]) -> None:
    """Raises FieldInvalid where the stated accounts cannot be beside those that stay, naming the first one."""
    seen: set[str] = set()
    gateways = {(account.provider, account.merchant_gateway_id): account.account_id for account in staying}
    for place, account in enumerate(desired):
        where = f"accounts[{place}]"
        if account.account_id in seen:
            raise FieldInvalid(f"{where}.account_id", f"{account.account_id!r} is stated twice", "unique")
        seen.add(account.account_id)
        key = (account.provider, account.merchant_gateway_id)
        if key in gateways:
            other = gateways[key]
            raise FieldInvalid(f"{where}.merchant_gateway_id", f"the same gateway and provider as {other!r}", "unique")
        gateways[key] = account.account_id
        if account.inbound_authentication not in POSSIBLE_AUTHENTICATION[account.provider]:
            raise FieldInvalid(
                f"{where}.inbound_authentication", f"not possible with provider {account.provider}", "provider"
            )
        certificate = account.inbound_authentication is InboundAuthentication.CERTIFICATE
        if account.client_certificate_common_name and not certificate:
            raise FieldInvalid(
                f"{where}.client_certificate_common_name", "only with inbound authentication CERTIFICATE", "provider"
            )


def plan(
    held: Mapping[str, Account], desired: Collection[Account], now: int, *, delete_missing: bool
) -> tuple[AccountChange, ...]:
    """What must change so that the accounts are as stated, in the order of their names. Raises FieldInvalid."""
    stated = {account.name for account in desired}
    missing = [account for name, account in held.items() if name not in stated]
    check(desired, () if delete_missing else missing)
    changes = []
    for account in desired:
        old = held.get(account.name)
        if old is None:
            after = replace(account, create_time=now, update_time=now, revision=1)
            changes.append(AccountChange(account.name, AccountAction.CREATE, (), after))
            continue
        differing = tuple(field for field in STATED if getattr(old, field) != getattr(account, field))
        if differing:
            after = replace(account, create_time=old.create_time, update_time=now, revision=old.revision + 1)
            changes.append(AccountChange(account.name, AccountAction.UPDATE, differing, after))
        else:
            changes.append(AccountChange(account.name, AccountAction.NONE, (), old))
    if delete_missing:
        changes += [AccountChange(account.name, AccountAction.DELETE) for account in missing]
    return tuple(sorted(changes, key=lambda change: change.account))
