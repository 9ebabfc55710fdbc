"""A core that issues and refuses access tokens, and fails by script."""

import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import grpc
from google.rpc import code_pb2
from mintmark.v1 import access_tokens_pb2, events_pb2, tokens_pb2

from tests.adapters.cli.fake_core import SECRET, FakeCore, refuse

Message = events_pb2.StreamEventsResponse


class Failure(NamedTuple):
    """How a call fails: the name of a status code, and a reason or none."""

    code: str
    reason: str = ""


class UnsteadyCore(FakeCore):
    """Every call takes the next entry of `failures`; a write happens all the same.

    `streams` has what each connection sends: a message, a Failure, or None for silence until the caller goes.
    """

    def __init__(self) -> None:
        self.secret = SECRET
        self.expires_in = 900
        self.issued: list[str] = []
        self.revoked: set[str] = set()
        self.failures: list[Failure] = []
        self.issue_failures: list[Failure] = []
        # So many calls get no answer.
        self.hanging = 0
        self.imported: dict[str, int] = {}
        self.streams: list[list[Message | Failure | None]] = []
        super().__init__()

    def issue_access_token(self, request: Any, context: Any) -> Any:
        if self.issue_failures:
            self._fail(self.issue_failures.pop(0), context)
        if request.client_secret != self.secret:
            refuse(context, code_pb2.UNAUTHENTICATED, "CLIENT_CREDENTIALS_INVALID", "the credentials are wrong")
        self.issued.append(f"access-{len(self.issued) + 1}")
        return access_tokens_pb2.IssueAccessTokenResponse(access_token=self.issued[-1], expires_in=self.expires_in)

    def get_token(self, request: Any, context: Any) -> Any:
        self._begin(request, context)
        return tokens_pb2.GetTokenResponse(token=tokens_pb2.Token(name=request.name))

    def import_tokens(self, request: Any, context: Any) -> Any:
        self.imported.setdefault(request.request_id, len(request.tokens))
        self._begin(request, context)
        return tokens_pb2.ImportTokensResponse(created_count=self.imported[request.request_id])

    def stream_events(self, request: Any, context: Any) -> Iterator[Message]:
        self._begin(request, context)
        for told in self.streams.pop(0):
            if told is None:
                _until_gone(context)
            elif isinstance(told, Failure):
                self._fail(told, context)
            else:
                yield told

    def _begin(self, request: Any, context: Any) -> None:
        self._seen(request, context)
        used = self.metadata[-1].get("authorization", "").removeprefix("Bearer ")
        if used not in self.issued or used in self.revoked:
            refuse(context, code_pb2.UNAUTHENTICATED, "ACCESS_TOKEN_INVALID", "the access token is not valid")
        if self.hanging:
            self.hanging -= 1
            _until_gone(context)
        if self.failures:
            self._fail(self.failures.pop(0), context)

    def _fail(self, failure: Failure, context: Any) -> None:
        if failure.reason:
            code = code_pb2.Code.Value(failure.code)
            refuse(context, code, failure.reason, "failed by script", facts={"resource": "tokens/x"})
        context.abort(grpc.StatusCode[failure.code], "failed by script")


def _until_gone(context: Any) -> None:
    gone = threading.Event()
    if context.add_callback(gone.set):
        gone.wait(20)
