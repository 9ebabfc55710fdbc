"""A way from a gateway to its core on which a test can hold up, lose and answer calls."""

import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc

STREAMS = "/mintmark.v1.PrincipalsService/WatchPrincipals"
SIZES = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))


class Relay:
    """Hands on whatever comes, as bytes. Methods are named as in `BeginCardVerification`."""

    def __init__(self, core_address: str, folder: Path) -> None:
        self.address = f"unix:{folder}/relay.sock"
        # Of these nothing reaches the core.
        self.dropped: set[str] = set()
        # The core's answers to these are lost.
        self.lost: set[str] = set()
        # These wait until `free` is set; `waits` tells that one does.
        self.held: set[str] = set()
        self.waits, self.free = threading.Event(), threading.Event()
        self.seen: list[str] = []
        self._channel = grpc.insecure_channel(core_address, (*SIZES, ("grpc.use_local_subchannel_pool", 1)))
        self._server = grpc.server(futures.ThreadPoolExecutor(32), options=SIZES)
        self._server.add_generic_rpc_handlers((_Handler(self),))
        self._server.add_insecure_port(self.address)
        self._server.start()

    def close(self) -> None:
        self.free.set()
        self._server.stop(0).wait()
        self._channel.close()

    def unary(self, method: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        name = method.rpartition("/")[2]
        self.seen.append(name)
        if name in self.held:
            self.waits.set()
            self.free.wait(60)
        if name in self.dropped:
            context.abort(grpc.StatusCode.UNAVAILABLE, "as the test wants")
        call: Any = self._channel.unary_unary(method)
        try:
            answer = call(request, metadata=_metadata(context), timeout=context.time_remaining() or 60)
        except grpc.RpcError as error:
            _hand_on(error, context)
        if name in self.lost:
            context.abort(grpc.StatusCode.UNAVAILABLE, "as the test wants")
        return bytes(answer)

    def stream(self, method: str, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        stream: Any = self._channel.unary_stream(method)
        call = stream(request, metadata=_metadata(context))
        context.add_callback(call.cancel)
        try:
            yield from call
        except grpc.RpcError as error:
            _hand_on(error, context)


def _metadata(context: grpc.ServicerContext) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in context.invocation_metadata() if key != "user-agent"]


def _hand_on(error: Any, context: grpc.ServicerContext) -> None:
    context.set_trailing_metadata(tuple(error.trailing_metadata() or ()))
    context.abort(error.code(), error.details())


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        method = str(handler_call_details.method)
        if method == STREAMS:
            return grpc.unary_stream_rpc_method_handler(
                lambda request, context: self._relay.stream(method, request, context)
            )
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self._relay.unary(method, request, context))
