"""BindingsService."""

from mintmark.v1 import bindings_pb2 as pb

from server.domain import names
from server.domain.bindings import Binding, BindingState
from server.domain.queries import BindingQuery
from server.ports import Store, Views
from server.rpc.calls import Call
from server.rpc.pages import PageTokens
from server.rpc.words import open_value, timestamp
from server.services import bindings


def to_proto(binding: Binding) -> pb.Binding:
    return pb.Binding(
        name=binding.name,
        merchant_gateway_id=binding.merchant_gateway_id,
        merchant_id=binding.merchant_id,
        token_id=binding.token_id,
        device_id=binding.device_id,
        token=binding.token,
        state=pb.BindingState.Value(f"BINDING_STATE_{binding.state}"),
        state_text=binding.state_text,
        device_type=open_value(pb.DeviceType, "DEVICE_TYPE", binding.device_type_text),
        device_type_text=binding.device_type_text,
        app_type=open_value(pb.AppType, "APP_TYPE", binding.app_type_text),
        app_type_text=binding.app_type_text,
        idv_method=open_value(pb.IdvMethod, "IDV_METHOD", binding.idv_method_text),
        idv_method_text=binding.idv_method_text,
        event_initiator_text=binding.event_initiator_text,
        visa_provisioned_token_id=binding.visa_provisioned_token_id,
        partner_create_time_text=binding.partner_create_time_text,
        partner_update_time_text=binding.partner_update_time_text,
        partner_order_time=timestamp(binding.partner_order_time),
        create_time=timestamp(binding.create_time),
        update_time=timestamp(binding.update_time),
        etag=str(binding.revision),
        delivery_count=binding.delivery_count,
    )


class Bindings:
    """The methods of BindingsService, behind the wrapper of every call."""

    def __init__(self, store: Store, views: Views, pages: PageTokens) -> None:
        self._store = store
        self._views = views
        self._pages = pages

    def GetBinding(self, request: pb.GetBindingRequest, call: Call) -> pb.GetBindingResponse:
        return pb.GetBindingResponse(binding=to_proto(bindings.get(self._views, call.caller, request.name)))

    def ListBindings(self, request: pb.ListBindingsRequest, call: Call) -> pb.ListBindingsResponse:
        parent = names.parse_parent(request.parent, ("merchantGateways", "merchants", "tokens"))
        query = BindingQuery(
            call.caller.reach,
            parent.get("merchantGateways", ""),
            parent.get("merchants", ""),
            parent.get("tokens", ""),
            request.device_id,
            frozenset(
                BindingState(pb.BindingState.Name(each).removeprefix("BINDING_STATE_")) for each in request.states
            ),
        )
        found, next_page = self._pages.list(
            request, call.caller.client, lambda page: bindings.list_page(self._store, query, page), to_proto
        )
        return pb.ListBindingsResponse(bindings=found, next_page_token=next_page)
