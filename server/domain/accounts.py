"""Partner accounts: our standing with partners, as operators state it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from server.domain import d1_accounts, d1_issuer_accounts, payment_options, sibs_accounts
from server.domain.d1_accounts import D1Api
from server.domain.d1_issuer_accounts import D1Issuer
from server.domain.money import MoneyInvalid, exponent
from server.domain.payment_options import AmountUnit, PaymentOptions
from server.domain.refusals import AccountInUse, FieldInvalid
from server.domain.sibs_accounts import KeptSecret, Sibs
from server.domain.violations import FieldsInvalid


class AccountProvider(StrEnum):
    D1_ECOM = "D1_ECOM"
    TSH = "TSH"
    PAYMENT_OPTIONS = "PAYMENT_OPTIONS"
    SIBS = "SIBS"
    D1_ISSUER = "D1_ISSUER"


class AccountMode(StrEnum):
    TEST = "TEST"
    LIVE = "LIVE"


class InboundAuthentication(StrEnum):
    OAUTH = "OAUTH"
    CERTIFICATE = "CERTIFICATE"
    API_KEY = "API_KEY"
    URL_TOKEN = "URL_TOKEN"
    MESSAGE_KEY = "MESSAGE_KEY"


class AccountAction(StrEnum):
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    NONE = "NONE"


DOCUMENTED_AUTHENTICATION = {
    AccountProvider.D1_ECOM: InboundAuthentication.OAUTH,
    AccountProvider.TSH: InboundAuthentication.API_KEY,
    AccountProvider.PAYMENT_OPTIONS: InboundAuthentication.URL_TOKEN,
    AccountProvider.SIBS: InboundAuthentication.MESSAGE_KEY,
    AccountProvider.D1_ISSUER: InboundAuthentication.OAUTH,
}
POSSIBLE_AUTHENTICATION = {
    AccountProvider.D1_ECOM: {InboundAuthentication.OAUTH, InboundAuthentication.CERTIFICATE},
    AccountProvider.TSH: {InboundAuthentication.API_KEY},
    AccountProvider.PAYMENT_OPTIONS: {InboundAuthentication.URL_TOKEN},
    AccountProvider.SIBS: {InboundAuthentication.MESSAGE_KEY},
    AccountProvider.D1_ISSUER: {InboundAuthentication.OAUTH, InboundAuthentication.CERTIFICATE},
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
    payment_options: PaymentOptions | None = None
    # What we authenticate with at the partner: a keyed digest that tells whether it changed, and the sealed value.
    authorization_digest: str = ""
    api_key_digest: str = ""
    sealed_authorization: bytes = b""
    sealed_api_key: bytes = b""
    held: bool = False
    hold_reason: str = ""
    sibs: Sibs | None = None
    # The same of an account with the acquirer, in the order of their names.
    sibs_secrets: tuple[KeptSecret, ...] = ()
    # Of D1_ISSUER, in place of the merchant gateway.
    issuer_id: str = ""
    # How we call D1, where we do; of D1_ECOM.
    d1_api: D1Api | None = None
    d1_api_secrets: tuple[KeptSecret, ...] = ()
    d1_issuer: D1Issuer | None = None


# An operator states the rest. Held accounts are released, and the other way round, by verbs of their own.
OURS = frozenset(
    {
        "name",
        "create_time",
        "update_time",
        "revision",
        "held",
        "hold_reason",
        "sealed_authorization",
        "sealed_api_key",
        "sibs_secrets",
        "d1_api_secrets",
    }
)
STATED = tuple(field.name for field in fields(Account) if field.name not in OURS)
# How a plan names what it must not show.
SHOWN_AS = {"authorization_digest": "payment_options.authorization", "api_key_digest": "payment_options.api_key"}


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
    places = {_place(account): account.account_id for account in staying}
    for place, account in enumerate(desired):
        where = f"accounts[{place}]"
        if account.account_id in seen:
            raise FieldInvalid(f"{where}.account_id", f"{account.account_id!r} is stated twice", "unique")
        seen.add(account.account_id)
        check_place(account, where)
        key = _place(account)
        if key in places:
            field, said = ("issuer_id", "issuer") if account.issuer_id else ("merchant_gateway_id", "gateway")
            raise FieldInvalid(f"{where}.{field}", f"the same {said} and provider as {places[key]!r}", "unique")
        places[key] = account.account_id
        if account.inbound_authentication not in POSSIBLE_AUTHENTICATION[account.provider]:
            raise FieldInvalid(
                f"{where}.inbound_authentication", f"not possible with provider {account.provider}", "provider"
            )
        certificate = account.inbound_authentication is InboundAuthentication.CERTIFICATE
        if account.client_certificate_common_name and not certificate:
            raise FieldInvalid(
                f"{where}.client_certificate_common_name", "only with inbound authentication CERTIFICATE", "provider"
            )
        check_payment_options(account, where)
    wrong = [
        each
        for place, account in enumerate(desired)
        for of in (sibs_violations, d1_violations, issuer_violations)
        for each in of(account, f"accounts[{place}]")
    ]
    if wrong:
        raise FieldsInvalid(wrong)


def _place(account: Account) -> tuple[AccountProvider, str, str]:
    return account.provider, account.merchant_gateway_id, account.issuer_id


def check_place(account: Account, where: str) -> None:
    """Raises FieldInvalid where the account is not about what its provider's accounts are about."""
    of_issuer = account.provider is AccountProvider.D1_ISSUER
    if bool(account.issuer_id) != of_issuer:
        raise FieldInvalid(f"{where}.issuer_id", "with provider D1_ISSUER, and only with it", "provider")
    if bool(account.merchant_gateway_id) == of_issuer:
        raise FieldInvalid(f"{where}.merchant_gateway_id", "with every provider but D1_ISSUER", "provider")
    if of_issuer and account.merchant_ids:
        raise FieldInvalid(f"{where}.merchant_ids", "not with provider D1_ISSUER", "provider")


def sibs_violations(account: Account, where: str) -> list[tuple[str, str, str]]:
    """Why the account cannot speak with the acquirer as it is stated."""
    stated = account.sibs
    where = f"{where}.sibs"
    if (stated is not None) != (account.provider is AccountProvider.SIBS):
        return [(where, "with provider SIBS, and only with it", "provider")]
    if stated is None:
        return []
    found = sibs_accounts.violations(stated, where)
    for secret in account.sibs_secrets:
        if secret.name not in stated.needed_secrets:
            found.append((f"{where}.{secret.name}", "is not used with what else is stated", "provider"))
    return found


def d1_violations(account: Account, where: str) -> list[tuple[str, str, str]]:
    """Why the account cannot call D1 as it is stated."""
    if account.d1_api is None:
        return []
    if account.provider is not AccountProvider.D1_ECOM:
        return [(f"{where}.d1_api", "only with provider D1_ECOM", "provider")]
    return d1_accounts.violations(account.d1_api, f"{where}.d1_api")


def issuer_violations(account: Account, where: str) -> list[tuple[str, str, str]]:
    """Why D1's calls about the issuer's cards cannot be answered as it is stated."""
    if account.d1_issuer is None:
        return []
    where = f"{where}.d1_issuer"
    if account.provider is not AccountProvider.D1_ISSUER:
        return [(where, "only with provider D1_ISSUER", "provider")]
    return d1_issuer_accounts.violations(account.d1_issuer, where)


def check_payment_options(account: Account, where: str) -> None:
    """Raises FieldInvalid where the account cannot send payments as it is stated."""
    stated = account.payment_options
    where = f"{where}.payment_options"
    if (stated is not None) != (account.provider is AccountProvider.PAYMENT_OPTIONS):
        raise FieldInvalid(where, "with provider PAYMENT_OPTIONS, and only with it", "provider")
    if stated is None:
        return
    if problem := payment_options.base_url_problem(stated.base_url):
        raise FieldInvalid(f"{where}.base_url", problem, "url")
    for place, prefix in enumerate(stated.return_url_prefixes):
        if problem := payment_options.prefix_problem(prefix):
            raise FieldInvalid(f"{where}.return_url_prefixes[{place}]", problem, "url")
    seen: set[str] = set()
    for place, each in enumerate(stated.currencies):
        path = f"{where}.currencies[{place}]"
        try:
            digits = exponent(each.currency_code)
        except MoneyInvalid:
            raise FieldInvalid(f"{path}.currency_code", "not a current ISO 4217 code with a minor unit") from None
        if each.currency_code in seen:
            raise FieldInvalid(f"{path}.currency_code", f"{each.currency_code} is stated twice", "unique")
        seen.add(each.currency_code)
        if digits and each.amount_unit is AmountUnit.NONE:
            raise FieldInvalid(
                f"{path}.amount_unit", "MINOR or MAJOR; ask the partner, it is never guessed", "required"
            )
        if account.mode is AccountMode.LIVE and not (each.payment_ceiling and each.day_ceiling):
            raise FieldInvalid(path, "a LIVE account needs payment_ceiling and day_ceiling", "required")


def check_secrets(account: Account, where: str) -> None:
    """Raises FieldInvalid where a payment account would have nothing to authenticate with."""
    if account.payment_options is not None:
        for digest, shown in SHOWN_AS.items():
            if not getattr(account, digest):
                raise FieldInvalid(f"{where}.{shown}", "must be given where none is kept", "required")
    if account.sibs is not None:
        kept = {secret.name for secret in account.sibs_secrets}
        missing = [name for name in account.sibs.needed_secrets if name not in kept]
        if missing:
            text = "must be given where none is kept"
            raise FieldsInvalid([(f"{where}.sibs.{name}", text, "required") for name in missing])

    if account.d1_api is not None and not account.d1_api_secrets:
        where = f"{where}.d1_api.{d1_accounts.SIGNING_KEY}"
        raise FieldsInvalid([(where, "must be given where none is kept", "required")])


def keeping_secrets(stated: Account, held: Account | None) -> Account:
    """The stated account with the kept secrets where it states none, and with what operators do not state."""
    if held is None:
        return stated
    kept = replace(stated, held=held.held, hold_reason=held.hold_reason)
    if stated.sibs is not None:
        given = {secret.name: secret for secret in stated.sibs_secrets}
        before = {secret.name: secret for secret in held.sibs_secrets}
        return replace(kept, sibs_secrets=sibs_accounts.kept_secrets(stated.sibs, before | given))
    if stated.d1_api is not None:
        return replace(kept, d1_api_secrets=stated.d1_api_secrets or held.d1_api_secrets)
    if stated.payment_options is None:
        return kept
    if not stated.authorization_digest:
        kept = replace(
            kept, authorization_digest=held.authorization_digest, sealed_authorization=held.sealed_authorization
        )
    if not stated.api_key_digest:
        kept = replace(kept, api_key_digest=held.api_key_digest, sealed_api_key=held.sealed_api_key)
    return kept


def check_in_use(changes: Collection[AccountChange], held: Mapping[str, Account], in_use: Collection[str]) -> None:
    """Raises AccountInUse where an account with unresolved payments or webhook configs is to go, or to become
    another's."""
    for each in changes:
        before = held.get(each.account)
        if each.account not in in_use or before is None:
            continue
        if each.after is None or each.after.provider is not before.provider:
            raise AccountInUse(each.account)
        # Whoever may see a webhook config follows from its account's gateway.
        if before.sibs and each.after.merchant_gateway_id != before.merchant_gateway_id:
            raise AccountInUse(each.account)


def calls_d1_no_more(before: Account, after: Account | None) -> bool:
    """Whether D1 is asked no more on behalf of an account for the gateway that it was asked for."""
    if before.d1_api is None:
        return False
    return after is None or after.d1_api is None or after.merchant_gateway_id != before.merchant_gateway_id


def calls_d1_otherwise(before: Account, after: Account) -> bool:
    """Whether D1 may answer now what it did not answer before."""
    return (before.d1_api, before.d1_api_secrets) != (after.d1_api, after.d1_api_secrets)


def hold(account: Account, reason: str, now: int) -> Account:
    """The account with sending stopped; as it is where it was."""
    if account.held:
        return account
    return replace(account, held=True, hold_reason=reason, update_time=now, revision=account.revision + 1)


def release(account: Account, now: int) -> Account:
    """The account with sending going on; as it is where it did."""
    if not account.held:
        return account
    return replace(account, held=False, hold_reason="", update_time=now, revision=account.revision + 1)


def plan(
    held: Mapping[str, Account], desired: Collection[Account], now: int, *, delete_missing: bool
) -> tuple[AccountChange, ...]:
    """What must change so that the accounts are as stated, in the order of their names. Raises FieldInvalid."""
    stated = {account.name for account in desired}
    missing = [account for name, account in held.items() if name not in stated]
    check(desired, () if delete_missing else missing)
    changes = []
    for place, stated_account in enumerate(desired):
        old = held.get(stated_account.name)
        account = keeping_secrets(stated_account, old)
        check_secrets(account, f"accounts[{place}]")
        if old is None:
            after = replace(account, create_time=now, update_time=now, revision=1)
            changes.append(AccountChange(account.name, AccountAction.CREATE, (), after))
            continue
        differing = tuple(field for field in STATED if getattr(old, field) != getattr(account, field))
        differing += sibs_accounts.changed_secrets(old.sibs_secrets, account.sibs_secrets)
        differing += d1_accounts.changed_secrets(old.d1_api_secrets, account.d1_api_secrets)
        if differing:
            after = replace(account, create_time=old.create_time, update_time=now, revision=old.revision + 1)
            shown = tuple(SHOWN_AS.get(field, field) for field in differing)
            changes.append(AccountChange(account.name, AccountAction.UPDATE, shown, after))
        else:
            changes.append(AccountChange(account.name, AccountAction.NONE, (), old))
    if delete_missing:
        changes += [AccountChange(account.name, AccountAction.DELETE) for account in missing]
    return tuple(sorted(changes, key=lambda change: change.account))
