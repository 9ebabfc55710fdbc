"""AccountsService."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from mintmark.v1 import accounts_pb2 as pb

from server.domain import accounts as domain
from server.domain import names, payment_options
from server.domain.accounts import Account, AccountChange, AccountMode, AccountProvider, InboundAuthentication
from server.domain.payment_options import AmountUnit, HostedPagePath, PaymentCurrency, PaymentOptions, PurchasePath
from server.ports import Assertions, EncryptionKeys, Hasher, Sealer, Store, Transaction
from server.rpc import d1_accounts, d1_issuer_accounts, sibs_accounts
from server.rpc.calls import Call, Calls
from server.rpc.pages import PageTokens
from server.rpc.words import timestamp
from server.services import accounts, partner_secrets


def to_proto(account: Account) -> pb.Account:
    authentication = f"INBOUND_AUTHENTICATION_{account.inbound_authentication}"
    return pb.Account(
        name=account.name,
        account_id=account.account_id,
        provider=pb.AccountProvider.Value(f"ACCOUNT_PROVIDER_{account.provider}"),
        display_name=account.display_name,
        mode=pb.AccountMode.Value(f"ACCOUNT_MODE_{account.mode}"),
        merchant_gateway_id=account.merchant_gateway_id,
        issuer_id=account.issuer_id,
        merchant_ids=account.merchant_ids,
        inbound_authentication=pb.InboundAuthentication.Value(authentication),
        client_certificate_common_name=account.client_certificate_common_name,
        create_time=timestamp(account.create_time),
        update_time=timestamp(account.update_time),
        etag=str(account.revision),
        payment_options=options_to_proto(account.payment_options) if account.payment_options else None,
        held=account.held,
        hold_reason=account.hold_reason,
        sibs=sibs_accounts.to_proto(account.sibs) if account.sibs else None,
        d1_api=d1_accounts.to_proto(account.d1_api) if account.d1_api else None,
        d1_issuer=d1_issuer_accounts.to_proto(account.d1_issuer) if account.d1_issuer else None,
    )


def options_to_proto(options: PaymentOptions) -> pb.PaymentOptionsAccount:
    """Without its secrets, which are never shown."""
    return pb.PaymentOptionsAccount(
        base_url=options.base_url,
        path_prefix=options.path_prefix,
        partner_merchant_id=options.partner_merchant_id,
        purchase_path=pb.PurchasePath.Value(f"PURCHASE_PATH_{options.purchase_path}"),
        currencies=[
            pb.PaymentCurrency(
                currency_code=each.currency_code,
                amount_unit=UNITS[each.amount_unit],
                payment_ceiling=each.payment_ceiling,
                day_ceiling=each.day_ceiling,
            )
            for each in options.currencies
        ],
        return_url_prefixes=options.return_url_prefixes,
        send_concurrency=options.send_concurrency,
        merchant_email=options.merchant_email,
        hosted_page_path=pb.HostedPagePath.Value(f"HOSTED_PAGE_PATH_{options.hosted_page_path}"),
    )


UNITS = {
    AmountUnit.NONE: pb.AmountUnit.AMOUNT_UNIT_UNSPECIFIED,
    AmountUnit.MINOR: pb.AmountUnit.AMOUNT_UNIT_MINOR,
    AmountUnit.MAJOR: pb.AmountUnit.AMOUNT_UNIT_MAJOR,
}
WORDS_OF_UNITS = {value: word for word, value in UNITS.items()}


def options_of(options: pb.PaymentOptionsAccount) -> PaymentOptions:
    """What an account states, with the defaults where it states nothing."""
    path = pb.PurchasePath.Name(options.purchase_path).removeprefix("PURCHASE_PATH_")
    page_path = pb.HostedPagePath.Name(options.hosted_page_path).removeprefix("HOSTED_PAGE_PATH_")
    return PaymentOptions(
        base_url=options.base_url.rstrip("/"),
        path_prefix=options.path_prefix or payment_options.DEFAULT_PREFIX,
        partner_merchant_id=options.partner_merchant_id,
        purchase_path=PurchasePath(path) if options.purchase_path else PurchasePath.PAYMENT,
        currencies=tuple(
            PaymentCurrency(
                each.currency_code, WORDS_OF_UNITS[each.amount_unit], each.payment_ceiling, each.day_ceiling
            )
            for each in sorted(options.currencies, key=lambda each: each.currency_code)
        ),
        return_url_prefixes=tuple(sorted(options.return_url_prefixes)),
        send_concurrency=options.send_concurrency or payment_options.DEFAULT_CONCURRENCY,
        merchant_email=options.merchant_email,
        hosted_page_path=(HostedPagePath(page_path) if options.hosted_page_path else HostedPagePath.SERVER_TO_SERVER),
    )


def with_secrets(account: Account, options: pb.PaymentOptionsAccount, hasher: Hasher, sealer: Sealer) -> Account:
    """The account with the secrets that are stated, each sealed, and a keyed digest that tells whether it changed."""

    def kept(field: str, secret: str) -> tuple[str, bytes]:
        if not secret:
            return "", b""
        context = partner_secrets.context(account.name, field)
        digest = hasher.identity_hash(b"partner secret", context, secret.encode()).hex()
        return digest, sealer.seal(secret.encode(), context)

    authorization_digest, sealed_authorization = kept("authorization", options.authorization)
    api_key_digest, sealed_api_key = kept("api_key", options.api_key)
    return replace(
        account,
        authorization_digest=authorization_digest,
        sealed_authorization=sealed_authorization,
        api_key_digest=api_key_digest,
        sealed_api_key=sealed_api_key,
    )


def stated(account: pb.Account, keys: EncryptionKeys, where: str) -> Account:
    """The account that a caller states, with what is documented where it states nothing; without its secrets. Raises
    FieldsInvalid."""
    provider = AccountProvider(pb.AccountProvider.Name(account.provider).removeprefix("ACCOUNT_PROVIDER_"))
    mode = pb.AccountMode.Name(account.mode).removeprefix("ACCOUNT_MODE_") if account.mode else AccountMode.TEST
    word = pb.InboundAuthentication.Name(account.inbound_authentication).removeprefix("INBOUND_AUTHENTICATION_")
    given = account.inbound_authentication != pb.InboundAuthentication.INBOUND_AUTHENTICATION_UNSPECIFIED
    return Account(
        name=names.account(account.account_id),
        account_id=account.account_id,
        provider=provider,
        display_name=account.display_name,
        mode=AccountMode(mode),
        merchant_gateway_id=account.merchant_gateway_id,
        merchant_ids=tuple(sorted(account.merchant_ids)),
        inbound_authentication=(InboundAuthentication(word) if given else domain.DOCUMENTED_AUTHENTICATION[provider]),
        client_certificate_common_name=account.client_certificate_common_name,
        payment_options=options_of(account.payment_options) if account.HasField("payment_options") else None,
        sibs=sibs_accounts.sibs_of(account.sibs) if account.HasField("sibs") else None,
        issuer_id=account.issuer_id,
        d1_api=d1_accounts.api_of(account.d1_api) if account.HasField("d1_api") else None,
        d1_issuer=(
            d1_issuer_accounts.issuer_of(account.d1_issuer, keys, f"{where}.d1_issuer")
            if account.HasField("d1_issuer")
            else None
        ),
    )


def change_to_proto(change: AccountChange) -> pb.AccountChange:
    return pb.AccountChange(
        account=change.account,
        action=pb.AccountAction.Value(f"ACCOUNT_ACTION_{change.action}"),
        fields=change.fields,
    )


class Accounts:
    """The methods of AccountsService, behind the wrapper of every call."""

    def __init__(
        self,
        store: Store,
        calls: Calls,
        pages: PageTokens,
        hasher: Hasher,
        sealer: Sealer,
        keys: EncryptionKeys,
        assertions: Assertions,
        changed: Callable[[], None],
    ) -> None:
        """`changed` is called when accounts have changed."""
        self._store = store
        self._keys = keys
        self._calls = calls
        self._pages = pages
        self._hasher = hasher
        self._sealer = sealer
        self._assertions = assertions
        self._changed = changed
        self._now = calls.clock.now

    def _stated(self, given: Sequence[pb.Account]) -> list[Account]:
        hasher, sealer = self._hasher, self._sealer
        made = []
        for place, each in enumerate(given):
            account = with_secrets(stated(each, self._keys, f"accounts[{place}]"), each.payment_options, hasher, sealer)
            account = sibs_accounts.with_secrets(account, each.sibs, hasher, sealer)
            made.append(
                d1_accounts.with_key(account, each.d1_api, f"accounts[{place}]", hasher, sealer, self._assertions)
            )
        return made

    def PlanAccounts(self, request: pb.PlanAccountsRequest, _call: Call) -> pb.PlanAccountsResponse:
        desired = self._stated(request.accounts)
        changes = accounts.plan(self._store, desired, self._now(), delete_missing=request.delete_missing)
        return pb.PlanAccountsResponse(changes=self._told(changes))

    def ApplyAccounts(self, request: pb.ApplyAccountsRequest, call: Call) -> pb.ApplyAccountsResponse:
        desired = self._stated(request.accounts)

        def run(transaction: Transaction) -> pb.ApplyAccountsResponse:
            changes = accounts.apply(
                transaction, call.caller, desired, self._now(), delete_missing=request.delete_missing
            )
            return pb.ApplyAccountsResponse(changes=self._told(changes))

        answer = self._calls.write(call, request, "partnerAccounts", run)
        self._changed()
        return answer

    def GetAccount(self, request: pb.GetAccountRequest, _call: Call) -> pb.GetAccountResponse:
        return pb.GetAccountResponse(account=to_proto(accounts.get(self._store, request.name)))

    def ListAccounts(self, request: pb.ListAccountsRequest, call: Call) -> pb.ListAccountsResponse:
        found, next_page = self._pages.list(
            request, call.caller.client, lambda page: accounts.list_page(self._store, page), to_proto
        )
        return pb.ListAccountsResponse(accounts=found, next_page_token=next_page)

    @staticmethod
    def _told(changes: Sequence[AccountChange]) -> list[pb.AccountChange]:
        return [change_to_proto(change) for change in changes]
