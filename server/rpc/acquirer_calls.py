"""Calls to the acquirer, as the dispatcher reports them and as they are shown."""

from mintmark.v1 import webhook_configs_pb2 as pb

from server.domain import card_numbers
from server.domain.webhook_configs import AcquirerCall, AcquirerOperation, CallOutcome
from server.rpc.words import timestamp

OPERATIONS = {pb.AcquirerOperation.Value(f"ACQUIRER_OPERATION_{each}"): each for each in AcquirerOperation}
OUTCOMES = {pb.AcquirerCallOutcome.Value(f"ACQUIRER_CALL_OUTCOME_{each}"): each for each in CallOutcome}


def storable(text: str) -> str:
    """A partner's text as it may be kept: card numbers cut, NUL escaped."""
    return card_numbers.cut(text).replace("\0", "\\0")


def to_proto(call: AcquirerCall) -> pb.AcquirerCall:
    return pb.AcquirerCall(
        operation=pb.AcquirerOperation.Value(f"ACQUIRER_OPERATION_{call.operation}"),
        outcome=pb.AcquirerCallOutcome.Value(f"ACQUIRER_CALL_OUTCOME_{call.outcome}"),
        tpp_request_id=call.tpp_request_id,
        http_status=call.http_status,
        transaction_status=call.transaction_status,
        status_code=call.status_code,
        status_message=call.status_message,
        status_description=call.status_description,
        trouble=call.trouble,
        generation=call.generation,
        time=timestamp(call.time),
    )


def call_of(given: pb.AcquirerCall, otherwise: AcquirerOperation) -> AcquirerCall:
    """The call as the domain reads it; `otherwise` where it does not say what was asked."""
    return AcquirerCall(
        operation=OPERATIONS.get(given.operation, otherwise),
        outcome=OUTCOMES[given.outcome],
        tpp_request_id=storable(given.tpp_request_id),
        http_status=given.http_status,
        transaction_status=storable(given.transaction_status),
        status_code=storable(given.status_code),
        status_message=storable(given.status_message),
        status_description=storable(given.status_description),
        trouble=storable(given.trouble),
    )
