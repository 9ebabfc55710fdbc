"""IssuerOperationsService."""

from mintmark.v1 import issuer_operations_pb2 as pb

from server.domain.issuer_operations import IssuerOperation, IssuerOperationKind, IssuerOperationState
from server.domain.queries import IssuerOperationQuery
from server.ports import Store
from server.rpc.calls import Call
from server.rpc.pages import PageTokens
from server.rpc.words import timestamp
from server.services import issuer_operations

KINDS = {pb.IssuerOperationKind.Value(f"ISSUER_OPERATION_KIND_{kind}"): kind for kind in IssuerOperationKind}
STATES = {pb.IssuerOperationState.Value(f"ISSUER_OPERATION_STATE_{state}"): state for state in IssuerOperationState}


def to_proto(operation: IssuerOperation) -> pb.IssuerOperation:
    return pb.IssuerOperation(
        name=operation.name,
        issuer_id=operation.issuer_id,
        kind=pb.IssuerOperationKind.Value(f"ISSUER_OPERATION_KIND_{operation.kind}"),
        operation_id=operation.operation_id,
        card_id=operation.card_id,
        digital_card_id=operation.digital_card_id,
        consumer_id=operation.consumer_id,
        operation=operation.operation,
        state=pb.IssuerOperationState.Value(f"ISSUER_OPERATION_STATE_{operation.state}"),
        state_text=operation.state_text,
        digital_card_ids=operation.digital_card_ids,
        start_time_text=operation.start_time_text,
        end_time_text=operation.end_time_text,
        partner_order_time=timestamp(operation.partner_order_time),
        details_json=operation.details_json,
        message=operation.message,
        error_code=operation.error_code,
        error=operation.error,
        input_file_name=operation.input_file_name,
        issuer_request_id=operation.issuer_request_id,
        delivery_count=operation.delivery_count,
        create_time=timestamp(operation.create_time),
        update_time=timestamp(operation.update_time),
    )


class IssuerOperations:
    """The methods of IssuerOperationsService, behind the wrapper of every call."""

    def __init__(self, store: Store, pages: PageTokens) -> None:
        self._store = store
        self._pages = pages

    def GetIssuerOperation(self, request: pb.GetIssuerOperationRequest, call: Call) -> pb.GetIssuerOperationResponse:
        found = issuer_operations.get(self._store, call.caller, request.name)
        return pb.GetIssuerOperationResponse(issuer_operation=to_proto(found))

    def ListIssuerOperations(
        self, request: pb.ListIssuerOperationsRequest, call: Call
    ) -> pb.ListIssuerOperationsResponse:
        query = IssuerOperationQuery(
            call.caller.reach,
            request.issuer_id,
            frozenset(KINDS[kind] for kind in request.kinds if kind),
            # UNSPECIFIED is a state that operations can be in.
            frozenset(STATES[state] for state in request.states),
            request.card_id,
            request.digital_card_id,
            request.operation_id,
        )
        found, next_page = self._pages.list(
            request, call.caller.client, lambda page: issuer_operations.list_page(self._store, query, page), to_proto
        )
        return pb.ListIssuerOperationsResponse(issuer_operations=found, next_page_token=next_page)
