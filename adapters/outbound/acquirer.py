"""The acquirer, as tasks ask it: with an access token, and a second try with another one where the first is not taken.
Each try has an id of its own."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from mintmark.v1 import tasks_pb2 as pb
from mintmark.v1 import webhook_configs_pb2 as configs

from adapters.breaker import Breaker
from adapters.outbound import partner_health, sibs, sibs_answers
from adapters.outbound.access_tokens import AccessTokens, NoAccessToken
from adapters.outbound.calls import CallBook
from adapters.outbound.leases import Lease
from adapters.outbound.outcomes import Answered, NotSent, Result
from adapters.outbound.transport import Transport

CALL_S = 15.0
TRIES = 2
# The longest that an acquirer is believed to want to be left alone.
LONGEST_RETRY_AFTER_S = 86400.0
NOT_TAKEN = 401
LATE, NO_PLACE = "too_late", "invalid_id"


@dataclass(frozen=True, slots=True)
class Said:
    """The calls that were made, the last one's answer where one came, and how long we are asked to wait, in seconds."""

    calls: list[configs.AcquirerCall]
    answered: Answered | None = None
    retry_after: float = 0.0

    @property
    def accepted(self) -> bool:
        return self.calls[-1].outcome == sibs_answers.ACCEPTED


class Acquirer:
    """Every call is made under a lease, and none begins after it."""

    def __init__(
        self,
        transport: Transport,
        access_tokens: AccessTokens,
        book: CallBook,
        breaker: Breaker,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._access_tokens = access_tokens
        self._book = book
        self._breaker = breaker
        self._monotonic = monotonic

    async def ask(self, asked: sibs.Asked, endpoint: pb.AcquirerEndpoint, lease: Lease) -> Said:
        """One request, made once, or twice where the first access token was not taken."""
        calls: list[configs.AcquirerCall] = []
        while True:
            try:
                access_token = await self._access_tokens.get(endpoint, lease.task.correlation_id)
            except NoAccessToken as missing:
                self._breaker.failed(lease.task.account)
                calls.append(sibs_answers.told(asked.operation, "", NotSent(missing.trouble)))
                return Said(calls, None, _wait(missing.retry_after))
            result, call = await self._try(asked, endpoint, access_token, lease)
            calls.append(call)
            again = call.http_status == NOT_TAKEN and len(calls) < TRIES
            if again and self._access_tokens.refused(endpoint, access_token):
                continue
            answered = result if isinstance(result, Answered) else None
            return Said(calls, answered, _wait(answered.retry_after) if answered else 0.0)

    async def _try(
        self, asked: sibs.Asked, endpoint: pb.AcquirerEndpoint, access_token: str, lease: Lease
    ) -> tuple[Result, configs.AcquirerCall]:
        request_id = str(uuid.uuid4())
        task = lease.task
        headers = sibs.headers(asked, endpoint, access_token, request_id)
        kind = configs.AcquirerOperation.Name(asked.operation).removeprefix("ACQUIRER_OPERATION_").lower()
        with self._book.calling(
            kind, task.account, asked.method, asked.template, task.correlation_id, task=task.name
        ) as made:
            left = lease.until - self._monotonic()
            result: Result = NotSent(LATE if asked.url else NO_PLACE)
            if left > 0 and asked.url:
                result = await self._transport.call(
                    asked.method, asked.url, headers, asked.content, total=min(CALL_S, left), send_by=lease.until
                )
            call = sibs_answers.told(asked.operation, request_id, result)
            outcome = configs.AcquirerCallOutcome.Name(call.outcome).removeprefix("ACQUIRER_CALL_OUTCOME_").lower()
            made.ended(outcome, result, call.trouble, tpp_request_id=call.tpp_request_id)
        partner_health.notice(self._breaker, task.account, result)
        return result, call


def _wait(seconds: float) -> float:
    return min(seconds, LONGEST_RETRY_AFTER_S)
