"""D1's own API, as tasks ask it: with an access token, and a second try with another one where the first is not
taken."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from mintmark.v1 import tasks_pb2 as pb

from adapters.breaker import Breaker
from adapters.outbound import partner_health
from adapters.outbound.access_token_sources import correlation_id_for_d1
from adapters.outbound.access_tokens import AccessTokens, NoAccessToken
from adapters.outbound.calls import CallBook
from adapters.outbound.leases import Lease
from adapters.outbound.outcomes import Answered, NotSent, Result
from adapters.outbound.transport import Transport

CALL_S = 15.0
TRIES = 2
# The longest that D1 is believed to want to be left alone.
LONGEST_RETRY_AFTER_S = 86400.0
NOT_TAKEN = 401
LATE, NO_PLACE = "too_late", "invalid_id"
KIND = "token_details"
# How D1 writes the ids of gateways, merchants and tokens, whatever their length.
ID = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Said:
    """What became of a question, how D1 called the error of its token endpoint, and how long it asks to be left alone,
    in seconds."""

    result: Result
    error_code: str = ""
    retry_after: float = 0.0


class D1:
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

    async def details(self, wanted: pb.TokenRefresh, lease: Lease) -> Said:
        """The details of a token: asked for once, or twice where the first access token was not taken."""
        url = details_url(wanted)
        if not url:
            return Said(NotSent(NO_PLACE))
        endpoint = pb.D1Endpoint()
        endpoint.CopyFrom(wanted.endpoint)
        tries = 0
        while True:
            tries += 1
            try:
                access_token = await self._access_tokens.get(endpoint, lease.task.correlation_id)
            except NoAccessToken as missing:
                self._breaker.failed(lease.task.account)
                return Said(NotSent(missing.trouble), missing.error_code, _wait(missing.retry_after))
            result = await self._ask(url, wanted.path_template, access_token, lease)
            if isinstance(result, Answered) and result.http_status == NOT_TAKEN and tries < TRIES:
                self._access_tokens.refused(endpoint, access_token)
                # Each assertion is used once.
                del endpoint.assertions[:1]
                continue
            return Said(result, retry_after=_wait(result.retry_after) if isinstance(result, Answered) else 0.0)

    async def _ask(self, url: str, template: str, access_token: str, lease: Lease) -> Result:
        task = lease.task
        correlation_id = correlation_id_for_d1(task.correlation_id)
        headers = {"authorization": f"Bearer {access_token}", "x-correlation-id": correlation_id}
        with self._book.calling(KIND, task.account, "GET", template, correlation_id, task=task.name) as made:
            left = lease.until - self._monotonic()
            result: Result = NotSent(LATE)
            if left > 0:
                result = await self._transport.call(
                    "GET", url, headers, b"", total=min(CALL_S, left), send_by=lease.until
                )
            made.ended(_word(result), result)
        partner_health.notice(self._breaker, task.account, result)
        return result


def details_url(wanted: pb.TokenRefresh) -> str:
    """Empty where an id is not of D1's form: whoever imported the token could have it lead elsewhere, for there are
    servers that read an encoded slash as a slash."""
    ids = {
        "{merchantGatewayId}": wanted.merchant_gateway_id,
        "{merchantId}": wanted.merchant_id,
        "{tokenId}": wanted.token_id,
    }
    path = wanted.path_template
    if any(place in path and not ID.fullmatch(text) for place, text in ids.items()):
        return ""
    for place, text in ids.items():
        path = path.replace(place, quote(text, safe=""))
    return f"{wanted.endpoint.base_url}{path}"


def _word(result: Result) -> str:
    if not isinstance(result, Answered):
        return "not_sent" if isinstance(result, NotSent) else "unknown"
    if 200 <= result.http_status < 300:
        return "read"
    return "failed" if result.http_status >= 500 else "refused"


def _wait(seconds: float) -> float:
    return min(seconds, LONGEST_RETRY_AFTER_S)
