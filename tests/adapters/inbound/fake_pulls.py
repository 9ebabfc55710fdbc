"""The fake core's pulls: they wait until a test lets them go, or nobody waits for them any more."""

import threading
from typing import Any

import grpc
from mintmark.v1 import subscriptions_pb2 as pb

LONGEST_WAIT = 40.0


class FakePulls:
    """Answers a pull with nothing once `go_on` is set."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.metadata: list[dict[str, Any]] = []
        # Those that wait right now, and those whose caller went before they were answered.
        self.open = 0
        self.left = 0
        self._lock = threading.Lock()

    def handler(self) -> grpc.GenericRpcHandler:
        """The one method of SubscriptionsService that is there."""
        pull = grpc.unary_unary_rpc_method_handler(
            self._pull,
            request_deserializer=pb.PullEventsRequest.FromString,
            response_serializer=pb.PullEventsResponse.SerializeToString,
        )
        return grpc.method_handlers_generic_handler("mintmark.v1.SubscriptionsService", {"PullEvents": pull})

    def _pull(self, request: pb.PullEventsRequest, context: grpc.ServicerContext) -> pb.PullEventsResponse:
        self.metadata.append(dict(context.invocation_metadata()))
        over = threading.Event()
        answered = threading.Event()

        def ended() -> None:
            with self._lock:
                self.left += not answered.is_set()
            over.set()

        context.add_callback(ended)
        with self._lock:
            self.open += 1
        try:
            waited = 0.0
            while not self.go_on.is_set() and not over.wait(0.02) and waited < LONGEST_WAIT:
                waited += 0.02
            answered.set()
            return pb.PullEventsResponse(caught_up=True)
        finally:
            with self._lock:
                self.open -= 1
