"""What of TasksService is about tokens that are read again."""

from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import tasks_pb2 as pb

from server.domain import card_numbers
from server.domain.payment_evidence import Outcome
from server.domain.token_refreshes import LONGEST_WAIT, Details, Reading
from server.rpc.calls import Call
from server.services import token_refreshes
from server.services.token_refreshes import ClaimedRefresh, RefreshDesk

OUTCOMES = {pb.CallOutcome.Value(f"CALL_OUTCOME_{each}"): each for each in Outcome if each is not Outcome.UNREPORTED}
NAMES = tuple(field.name for field in pb.D1TokenDetailsNames.DESCRIPTOR.fields)
DETAILS = tuple(field.name for field in pb.TokenDetails.DESCRIPTOR.fields)


def to_proto(claimed: ClaimedRefresh) -> pb.Task:
    task, token, endpoint = claimed.task, claimed.token, claimed.endpoint
    api = endpoint.api
    lease = Duration()
    lease.FromMicroseconds(claimed.lease)
    return pb.Task(
        name=task.name,
        kind=pb.TASK_KIND_REFRESH_TOKEN,
        fence=task.fence,
        lease=lease,
        correlation_id=task.correlation_id,
        account=task.account,
        token_refresh=pb.TokenRefresh(
            endpoint=pb.D1Endpoint(
                account=endpoint.account,
                token_url=api.token_url,
                assertions=endpoint.assertions,
                revision=endpoint.revision,
                base_url=api.base_url,
            ),
            token=token.name,
            generation=token.refresh_generation,
            merchant_gateway_id=token.merchant_gateway_id,
            merchant_id=token.merchant_id,
            token_id=token.token_id,
            path_template=api.token_details_path,
            names=pb.D1TokenDetailsNames(**{name: getattr(api.token_details_fields, name) for name in NAMES}),
        ),
    )


def reading_of(request: pb.RecordTokenRefreshRequest) -> Reading:
    """What is told, as the domain reads it. Adapters have cut card numbers; what they overlooked is cut here."""
    told = {name: getattr(request.details, name) for name in DETAILS}
    told["state_text"] = card_numbers.cut(told["state_text"]).replace("\0", "\\0")
    return Reading(
        generation=request.generation,
        outcome=OUTCOMES[request.outcome],
        http_status=request.http_status,
        details=Details(**told) if request.HasField("details") and any(told.values()) else None,
        trouble=request.trouble,
        error_code=request.error_code,
        retry_after=max(0, min(request.retry_after.ToMicroseconds(), LONGEST_WAIT)),
    )


def record(desk: RefreshDesk, request: pb.RecordTokenRefreshRequest, call: Call) -> pb.RecordTokenRefreshResponse:
    reading = reading_of(request)
    desk.house.store.write(
        request.token,
        lambda transaction: token_refreshes.record(
            desk, transaction, call.caller, request.task, request.fence, request.token, reading
        ),
        deadline=call.deadline,
    )
    return pb.RecordTokenRefreshResponse()
