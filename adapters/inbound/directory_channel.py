"""The way to one issuer's own system: a channel, a deadline, and a breaker. No call is made twice."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import grpc
import structlog
from google.protobuf.message import Message
from mintmark.directory.v1 import card_directory_pb2_grpc
from mintmark.v1 import accounts_pb2

from adapters.breaker import Breaker
from adapters.core import OPTIONS
from adapters.inbound.directory_answers import AnswerOdd
from adapters.inbound.directory_failures import DirectoryForbids, DirectoryNotFound, DirectoryUnavailable
from adapters.inbound.directory_metrics import DirectoryMetrics
from adapters.inbound.directory_tls import DirectoryTls
from adapters.inbound.pinned_keys import recipient
from adapters.jose.encryption import Recipient

DEFAULT_TIMEOUT_S = 3.0
LONGEST_TIMEOUT_S = 10.0
# One slow system must not take all the requests that a gateway works on at once.
MOST_IN_FLIGHT = 128
# Answers are small; what is longer than this is none.
LONGEST_MESSAGE = 128 * 1024
CHANNEL_OPTIONS = (
    *(option for option in OPTIONS if "message_length" not in option[0]),
    ("grpc.max_receive_message_length", LONGEST_MESSAGE),
    # A new channel is a new connection, also where an old one to the same place still ends its calls.
    ("grpc.use_local_subchannel_pool", 1),
    # Nothing that the account does not say has a part in it: no proxy of the environment, no policy from DNS.
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config_disable_resolution", 1),
)
# It could not be reached, is overloaded or broken; what it says by others it says in good health.
_TROUBLE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
}
_REFUSALS = {
    grpc.StatusCode.NOT_FOUND: ("not_found", DirectoryNotFound),
    grpc.StatusCode.PERMISSION_DENIED: ("forbidden", DirectoryForbids),
}

A = TypeVar("A", bound=Message)
T = TypeVar("T")


class DirectoryChannel:
    """It is made when it is first used, and again after the breaker has opened."""

    def __init__(
        self,
        account: accounts_pb2.Account,
        tls: DirectoryTls,
        metrics: DirectoryMetrics,
        interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer_id = account.issuer_id
        self._stated = accounts_pb2.CardDirectory()
        self._stated.CopyFrom(account.d1_issuer.directory)
        milliseconds = self._stated.timeout_milliseconds
        self._timeout = min(milliseconds / 1000, LONGEST_TIMEOUT_S) if milliseconds else DEFAULT_TIMEOUT_S
        self._tls = tls
        self._metrics = metrics
        self._interceptors = interceptors
        self._breaker = Breaker(monotonic)
        self._in_flight = 0
        self._channel: grpc.aio.Channel | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._recipient: Recipient | None = None

    @property
    def resting(self) -> bool:
        """Whether the breaker is open."""
        return self._breaker.open > 0

    @property
    def ending(self) -> bool:
        """Whether calls are still under way on a channel that no other is made on."""
        return bool(self._ending)

    def is_for(self, stated: accounts_pb2.CardDirectory) -> bool:
        """Whether that is still what the account states."""
        return self._stated == stated

    def recipient(self) -> Recipient:
        """The issuer's key. Raises KeyInvalid."""
        if self._recipient is None:
            self._recipient = recipient(self._stated.public_key)
        return self._recipient

    async def ask(self, method: str, request: Message, read: Callable[[A], T]) -> T:
        """What `read` makes of the answer; it raises AnswerOdd for one that cannot be. Raises DirectoryFailure."""
        if self._in_flight >= MOST_IN_FLIGHT or not self._breaker.admits(self._issuer_id):
            self._metrics.came_to(method, "not_asked")
            raise DirectoryUnavailable
        self._breaker.claimed(self._issuer_id)
        self._in_flight += 1
        began = time.perf_counter()
        try:
            answer: A = await self._call(method, request)
        except grpc.aio.AioRpcError as error:
            raise self._failure(method, error.code()) from None
        except BaseException:
            self._breaker.unused(self._issuer_id)
            raise
        finally:
            self._in_flight -= 1
            self._metrics.took(method, time.perf_counter() - began)
        self._breaker.succeeded(self._issuer_id)
        try:
            found = read(answer)
        except AnswerOdd as odd:
            self._log("an issuer's own system has answered what cannot be", method, why=str(odd))
            self._metrics.came_to(method, "unreadable")
            raise DirectoryUnavailable from None
        self._metrics.came_to(method, "answered")
        return found

    def retire(self) -> None:
        """No call will be made any more; those under way are let end."""
        if self._channel is not None:
            task = asyncio.create_task(self._channel.close(LONGEST_TIMEOUT_S))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            self._channel = None

    async def close(self) -> None:
        """Ends the calls under way too."""
        if self._channel is not None:
            await self._channel.close()
            self._channel = None
        for task in list(self._ending):
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _call(self, method: str, request: Message) -> A:
        if self._channel is None:
            self._channel = self._opened()
        stub = card_directory_pb2_grpc.CardDirectoryServiceStub(self._channel)
        call: Callable[..., Awaitable[A]] = getattr(stub, method)
        return await call(request, timeout=self._timeout)

    def _opened(self) -> grpc.aio.Channel:
        target = f"dns:///{self._stated.address}"
        credentials = self._tls.credentials(self._stated.address)
        if credentials is None:
            return grpc.aio.insecure_channel(target, CHANNEL_OPTIONS, interceptors=self._interceptors)
        return grpc.aio.secure_channel(target, credentials, CHANNEL_OPTIONS, interceptors=self._interceptors)

    def _failure(self, method: str, code: grpc.StatusCode) -> Exception:
        if code in _TROUBLE:
            self._in_trouble()
        else:
            self._breaker.succeeded(self._issuer_id)
        if code in _REFUSALS:
            outcome, failure = _REFUSALS[code]
            self._metrics.came_to(method, outcome)
            return failure()
        # Its text may say anything.
        self._log("an issuer's own system has failed", method, code=code.name)
        self._metrics.came_to(method, code.name.lower())
        return DirectoryUnavailable()

    def _in_trouble(self) -> None:
        known = self.resting
        self._breaker.failed(self._issuer_id)
        if not self.resting:
            return
        # The next one, which probes, shall not wait for a connection that leads nowhere any more.
        self.retire()
        if not known:
            event = "an issuer's own system is left alone for a while: D1 gets 503 for the issuer"
            structlog.get_logger().error(event, alert=True, issuer_id=self._issuer_id)

    def _log(self, event: str, method: str, **facts: object) -> None:
        structlog.get_logger().warning(event, issuer_id=self._issuer_id, method=method, **facts)
