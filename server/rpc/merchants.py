"""MerchantsService."""

from mintmark.v1 import merchants_pb2 as pb

from server.domain import names
from server.domain.merchants import Merchant, SchemeRegistration
from server.domain.queries import MerchantQuery
from server.ports import Store
from server.rpc.calls import Call
from server.rpc.pages import PageTokens
from server.rpc.words import open_value, timestamp
from server.services import merchants


def registration(held: SchemeRegistration) -> pb.SchemeRegistration:
    return pb.SchemeRegistration(
        scheme=open_value(pb.Scheme, "SCHEME", held.scheme_text),
        scheme_text=held.scheme_text,
        token_requestor_id=held.token_requestor_id,
        mastercard_service_id=held.mastercard_service_id,
        error_code=held.error_code,
        partner_update_time_text=held.partner_update_time_text,
        partner_order_time=timestamp(held.partner_order_time),
    )


def to_proto(merchant: Merchant) -> pb.Merchant:
    return pb.Merchant(
        name=merchant.name,
        merchant_gateway_id=merchant.merchant_gateway_id,
        merchant_id=merchant.merchant_id,
        scheme_registrations=[registration(each) for each in merchant.scheme_registrations],
        create_time=timestamp(merchant.create_time),
        update_time=timestamp(merchant.update_time),
        etag=str(merchant.revision),
        delivery_count=merchant.delivery_count,
    )


class Merchants:
    """The methods of MerchantsService, behind the wrapper of every call."""

    def __init__(self, store: Store, pages: PageTokens) -> None:
        self._store = store
        self._pages = pages

    def GetMerchant(self, request: pb.GetMerchantRequest, call: Call) -> pb.GetMerchantResponse:
        return pb.GetMerchantResponse(merchant=to_proto(merchants.get(self._store, call.caller, request.name)))

    def ListMerchants(self, request: pb.ListMerchantsRequest, call: Call) -> pb.ListMerchantsResponse:
        parent = names.parse_parent(request.parent, ("merchantGateways",))
        query = MerchantQuery(call.caller.reach, parent.get("merchantGateways", ""))
        found, next_page = self._pages.list(
            request, call.caller.client, lambda page: merchants.list_page(self._store, query, page), to_proto
        )
        return pb.ListMerchantsResponse(merchants=found, next_page_token=next_page)
