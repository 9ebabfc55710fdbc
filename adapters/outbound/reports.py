"""What the core is told of a call to a partner."""

from mintmark.v1 import tasks_pb2 as pb

from adapters import partner_answers, partner_subscriptions
from adapters.outbound.outcomes import Answered, NotSent, Result

READ_STATUSES = (200, 201)


def outcome(result: Result) -> "pb.CallOutcome.ValueType":
    if isinstance(result, Answered):
        return pb.CALL_OUTCOME_ANSWERED
    return pb.CALL_OUTCOME_NOT_SENT if isinstance(result, NotSent) else pb.CALL_OUTCOME_UNKNOWN


def word(result: Result) -> str:
    """The outcome as metrics, logs and traces have it."""
    return pb.CallOutcome.Name(outcome(result)).removeprefix("CALL_OUTCOME_").lower()


def answer(result: Answered) -> pb.PartnerAnswer:
    return partner_answers.read(result.body, result.http_status, whole=result.whole)


def report(attempt: str, result: Result) -> pb.RecordAttemptRequest:
    made = pb.RecordAttemptRequest(attempt=attempt, outcome=outcome(result))
    if isinstance(result, Answered):
        made.answer.CopyFrom(answer(result))
    else:
        made.trouble = result.trouble
    return made


def of_call(task: pb.Task, result: Result) -> pb.RecordSubscriptionRequest:
    """What became of a call about a subscription."""
    call = task.subscription_call
    made = pb.RecordSubscriptionRequest(task=task.name, fence=task.fence, kind=call.kind, outcome=outcome(result))
    if isinstance(result, Answered):
        made.retry_after.FromMicroseconds(int(result.retry_after * 1_000_000))
        if call.kind == pb.SUBSCRIPTION_CALL_KIND_LIST and result.http_status in READ_STATUSES:
            listed = partner_subscriptions.read_list(result.body, call.mark, result.http_status, whole=result.whole)
            made.answer.CopyFrom(listed)
        else:
            made.answer.CopyFrom(answer(result))
    return made


def unread(report: pb.RecordAttemptRequest) -> pb.RecordAttemptRequest:
    """The same with nothing but the body: an answer that proves nothing is better than none."""
    made = pb.RecordAttemptRequest(attempt=report.attempt, outcome=report.outcome)
    made.answer.http_status, made.answer.body = report.answer.http_status, report.answer.body
    return made
