"""AccountsService."""

from collections.abc import Sequence

from mintmark.v1 import accounts_pb2 as pb

from server.domain import accounts as domain
from server.domain import names
from server.domain.accounts import Account, AccountChange, AccountMode, AccountProvider, InboundAuthentication
from server.ports import Store, Transaction
from server.rpc.calls import Call, Calls
from server.rpc.pages import PageTokens
from server.rpc.words import timestamp
from server.services import accounts


def to_proto(account: Account) -> pb.Account:
    authentication = f"INBOUND_AUTHENTICATION_{account.inbound_authentication}"
    return pb.Account(
        name=account.name,
        account_id=account.account_id,
        provider=pb.AccountProvider.Value(f"ACCOUNT_PROVIDER_{account.provider}"),
        display_name=account.display_name,
        mode=pb.AccountMode.Value(f"ACCOUNT_MODE_{account.mode}"),
        merchant_gateway_id=account.merchant_gateway_id,
        merchant_ids=account.merchant_ids,
        inbound_authentication=pb.InboundAuthentication.Value(authentication),
        client_certificate_common_name=account.client_certificate_common_name,
        create_time=timestamp(account.create_time),
        update_time=timestamp(account.update_time),
        etag=str(account.revision),
    )


def stated(account: pb.Account) -> Account:
    """The account that a caller states, with what is documented where it states nothing."""
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
    )


def change_to_proto(change: AccountChange) -> pb.AccountChange:
    return pb.AccountChange(
        account=change.account,
        action=pb.AccountAction.Value(f"ACCOUNT_ACTION_{change.action}"),
        fields=change.fields,
    )


class Accounts:
    """The methods of AccountsService, behind the wrapper of every call."""

    def __init__(self, store: Store, calls: Calls, pages: PageTokens) -> None:
        self._store = store
        self._calls = calls
        self._pages = pages
        self._now = calls.clock.now

    def PlanAccounts(self, request: pb.PlanAccountsRequest, _call: Call) -> pb.PlanAccountsResponse:
        desired = [stated(account) for account in request.accounts]
        changes = accounts.plan(self._store, desired, self._now(), delete_missing=request.delete_missing)
        return pb.PlanAccountsResponse(changes=self._told(changes))

    def ApplyAccounts(self, request: pb.ApplyAccountsRequest, call: Call) -> pb.ApplyAccountsResponse:
        desired = [stated(account) for account in request.accounts]

        def run(transaction: Transaction) -> pb.ApplyAccountsResponse:
            changes = accounts.apply(
                transaction, call.caller, desired, self._now(), delete_missing=request.delete_missing
            )
            return pb.ApplyAccountsResponse(changes=self._told(changes))

        return self._calls.write(call, request, "partnerAccounts", run)

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
