"""TokensService."""

from collections.abc import Callable

from mintmark.v1 import tokens_pb2 as pb

from server.domain import names
from server.domain.queries import TokenQuery
from server.domain.tokens import Token, TokenProvider, TokenState
from server.ports import Store, Transaction, Views
from server.rpc.calls import Call, Calls
from server.rpc.pages import PageTokens
from server.rpc.words import timestamp
from server.services import token_refreshes, tokens
from server.services.tokens import Import


def to_proto(token: Token) -> pb.Token:
    return pb.Token(
        name=token.name,
        merchant_gateway_id=token.merchant_gateway_id,
        merchant_id=token.merchant_id,
        token_id=token.token_id,
        provider=pb.TokenProvider.Value(f"TOKEN_PROVIDER_{token.provider}"),
        state=pb.TokenState.Value(f"TOKEN_STATE_{token.state}"),
        state_text=token.state_text,
        card=card(token),
        token_last_digits=token.token_last_digits,
        token_expiry=token.token_expiry,
        payment_account_reference=token.payment_account_reference,
        visa_provisioned_token_id=token.visa_provisioned_token_id,
        refresh_generation=token.refresh_generation,
        refreshed_generation=token.refreshed_generation,
        delivery_count=token.delivery_count,
        last_update_type=token.last_update_type,
        disable_time=timestamp(token.disable_time),
        disable_reason=token.disable_reason,
        partner_create_time_text=token.partner_create_time_text,
        partner_update_time_text=token.partner_update_time_text,
        partner_order_time=timestamp(token.partner_order_time),
        create_time=timestamp(token.create_time),
        update_time=timestamp(token.update_time),
        etag=str(token.revision),
        refresh_time=timestamp(token.refresh_time),
        refresh_error=token.refresh_error,
    )


def card(token: Token) -> pb.CardSummary | None:
    if not (token.card_bin or token.card_last_digits or token.card_expiry):
        return None
    return pb.CardSummary(bin=token.card_bin, last_digits=token.card_last_digits, expiry=token.card_expiry)


def provider_of(value: pb.TokenProvider.ValueType) -> TokenProvider | None:
    return TokenProvider(pb.TokenProvider.Name(value).removeprefix("TOKEN_PROVIDER_")) if value else None


def imported(each: pb.TokenImport) -> Import:
    return Import(
        each.merchant_gateway_id,
        each.merchant_id,
        each.token_id,
        TokenProvider(pb.TokenProvider.Name(each.provider).removeprefix("TOKEN_PROVIDER_")),
        each.state_text,
        each.card.bin,
        each.card.last_digits,
        each.card.expiry,
    )


class Tokens:
    """The methods of TokensService, behind the wrapper of every call."""

    def __init__(self, store: Store, views: Views, calls: Calls, pages: PageTokens) -> None:
        self._store = store
        self._views = views
        self._calls = calls
        self._pages = pages
        self._now: Callable[[], int] = calls.clock.now

    def GetToken(self, request: pb.GetTokenRequest, call: Call) -> pb.GetTokenResponse:
        return pb.GetTokenResponse(token=to_proto(tokens.get(self._views, call.caller, request.name)))

    def ListTokens(self, request: pb.ListTokensRequest, call: Call) -> pb.ListTokensResponse:
        parent = names.parse_parent(request.parent, ("merchantGateways", "merchants"))
        query = TokenQuery(
            call.caller.reach,
            parent.get("merchantGateways", ""),
            parent.get("merchants", ""),
            provider_of(request.provider),
            frozenset(TokenState(pb.TokenState.Name(each).removeprefix("TOKEN_STATE_")) for each in request.states),
            request.refresh_due,
            request.disabled,
        )
        found, next_page = self._pages.list(
            request, call.caller.client, lambda page: tokens.list_page(self._store, query, page), to_proto
        )
        return pb.ListTokensResponse(tokens=found, next_page_token=next_page)

    def ImportTokens(self, request: pb.ImportTokensRequest, call: Call) -> pb.ImportTokensResponse:
        wanted = [imported(each) for each in request.tokens]

        def run(transaction: Transaction) -> pb.ImportTokensResponse:
            created, existing = tokens.import_all(transaction, call.caller, wanted, self._now())
            return pb.ImportTokensResponse(created_count=created, existing_count=existing)

        return self._calls.write(call, request, "tokens", run)

    def DisableToken(self, request: pb.DisableTokenRequest, call: Call) -> pb.DisableTokenResponse:
        def run(transaction: Transaction) -> pb.DisableTokenResponse:
            token = tokens.disable(transaction, call.caller, request.name, request.reason, request.etag, self._now())
            return pb.DisableTokenResponse(token=to_proto(token))

        return self._calls.write(call, request, request.name, run)

    def EnableToken(self, request: pb.EnableTokenRequest, call: Call) -> pb.EnableTokenResponse:
        def run(transaction: Transaction) -> pb.EnableTokenResponse:
            token = tokens.enable(transaction, call.caller, request.name, request.etag, self._now())
            return pb.EnableTokenResponse(token=to_proto(token))

        return self._calls.write(call, request, request.name, run)

    def RefreshToken(self, request: pb.RefreshTokenRequest, call: Call) -> pb.RefreshTokenResponse:
        def run(transaction: Transaction) -> pb.RefreshTokenResponse:
            return pb.RefreshTokenResponse(
                token=to_proto(token_refreshes.refresh(transaction, call.caller, request.name, self._now()))
            )

        return self._calls.write(call, request, request.name, run)
