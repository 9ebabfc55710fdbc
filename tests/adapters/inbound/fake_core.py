"""A core for the gateway's tests: the internal services on a unix socket, and every answer as a test wants it."""

import queue
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from jwcrypto.jwk import JWK
from jwcrypto.jwt import JWT
from mintmark.v1 import (
    access_tokens_pb2,
    access_tokens_pb2_grpc,
    events_pb2_grpc,
    notifications_pb2,
    notifications_pb2_grpc,
    principals_pb2,
    principals_pb2_grpc,
)

from tests.adapters.inbound.fake_events import FakeEvents
from tests.adapters.inbound.fake_pulls import FakePulls

ISSUER = "http://issuer.test"
AUDIENCE = "mintmark"
HASH_KEY = bytes(range(32))
HEARTBEAT = 0.5


class FakeCore(
    access_tokens_pb2_grpc.AccessTokensServiceServicer,
    notifications_pb2_grpc.NotificationRecordsServiceServicer,
    principals_pb2_grpc.PrincipalsServiceServicer,
):
    """Stores in a list what is recorded. Clients, keys and accounts are what `principals` says."""

    def __init__(self, folder: Path) -> None:
        self.address = f"unix:{folder}/core.sock"
        self.signing_key = JWK.generate(kty="EC", crv="P-256", kid="signing-1")
        self.secrets: dict[str, str] = {"role.gateway": "gateway-secret"}
        self.records: list[notifications_pb2.NotificationRecord] = []
        self.batches: list[int] = []
        self.asked: list[tuple[str, str]] = []
        self.scopes: list[list[str]] = []
        self.callers: list[str] = []
        self.revoked: list[str] = []
        # How records are answered: an outcome, or a status code as an error; `held` keeps them waiting.
        self.outcome = notifications_pb2.RECORD_OUTCOME_STORED
        # Other outcomes, by the operation id.
        self.outcomes: dict[str, notifications_pb2.RecordOutcome.ValueType] = {}
        self.failure: grpc.StatusCode | None = None
        self.issue_failure: grpc.StatusCode | None = None
        self.free = threading.Event()
        self.free.set()
        self.silent = False
        self.clock_offset = 0.0
        self.snapshot = principals_pb2.WatchPrincipalsResponse(
            snapshot=True,
            snapshot_complete=True,
            api_key_hash_key=HASH_KEY,
            access_token_issuer=ISSUER,
            access_token_audience=AUDIENCE,
            jwks=[self._public()],
        )
        self._watchers: list[queue.SimpleQueue[principals_pb2.WatchPrincipalsResponse]] = []
        self.events = FakeEvents()
        self.pulls = FakePulls()
        self._stopping = threading.Event()
        self._server: grpc.Server | None = None

    def start(self) -> None:
        self._stopping.clear()
        self._server = grpc.server(futures.ThreadPoolExecutor(16))
        access_tokens_pb2_grpc.add_AccessTokensServiceServicer_to_server(self, self._server)
        notifications_pb2_grpc.add_NotificationRecordsServiceServicer_to_server(self, self._server)
        principals_pb2_grpc.add_PrincipalsServiceServicer_to_server(self, self._server)
        events_pb2_grpc.add_EventsServiceServicer_to_server(self.events, self._server)
        self._server.add_generic_rpc_handlers((self.pulls.handler(),))
        self._server.add_insecure_port(self.address)
        self._server.start()

    def stop(self) -> None:
        self._stopping.set()
        self.free.set()
        self.pulls.go_on.set()
        if self._server is not None:
            self._server.stop(0).wait()

    def change(self, message: principals_pb2.WatchPrincipalsResponse) -> None:
        """Sends a change to every gateway that watches."""
        for watcher in list(self._watchers):
            watcher.put(message)

    def sign(self, header: dict[str, Any] | None = None, key: JWK | None = None, **claims: Any) -> str:
        """An access token; without changes a good one of `d1.partner`."""
        now = int(time.time())
        good = {
            "iss": ISSUER,
            "sub": "d1.partner",
            "client_id": "d1.partner",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 930,
            "jti": str(uuid.uuid4()),
            "scope": "d1-notify",
        }
        content = {name: value for name, value in (good | claims).items() if value is not None}
        token = JWT(header=header or {"alg": "ES256", "kid": "signing-1", "typ": "at+jwt"}, claims=content)
        token.make_signed_token(key or self.signing_key)
        return str(token.serialize())

    # The services.

    def IssueAccessToken(  # noqa: N802  gRPC's name
        self, request: access_tokens_pb2.IssueAccessTokenRequest, context: grpc.ServicerContext
    ) -> access_tokens_pb2.IssueAccessTokenResponse:
        if request.client_id != "role.gateway":
            self.asked.append((request.client_id, request.client_secret))
            self.scopes.append(list(request.scopes))
            if self.issue_failure:
                context.abort(self.issue_failure, "as the test wants")
        if self.secrets.get(request.client_id) != request.client_secret:
            self._refuse(context, grpc.StatusCode.UNAUTHENTICATED, "CLIENT_CREDENTIALS_INVALID")
        if "forbidden" in request.scopes:
            self._refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "SCOPE_INVALID")
        answer = access_tokens_pb2.IssueAccessTokenResponse(
            access_token=self.sign(client_id=request.client_id, sub=request.client_id),
            expires_in=900,
            token_type="Bearer",
            scopes=["d1-notify"],
        )
        answer.expire_time.FromMilliseconds(1686027959711)
        return answer

    def RevokeAccessToken(  # noqa: N802
        self, request: access_tokens_pb2.RevokeAccessTokenRequest, context: grpc.ServicerContext
    ) -> access_tokens_pb2.RevokeAccessTokenResponse:
        self._note_caller(context)
        self.revoked.append(request.access_token)
        return access_tokens_pb2.RevokeAccessTokenResponse()

    def IntrospectAccessToken(  # noqa: N802
        self, request: access_tokens_pb2.IntrospectAccessTokenRequest, context: grpc.ServicerContext
    ) -> access_tokens_pb2.IntrospectAccessTokenResponse:
        self._note_caller(context)
        if request.access_token != "known":
            return access_tokens_pb2.IntrospectAccessTokenResponse()
        answer = access_tokens_pb2.IntrospectAccessTokenResponse(
            active=True, client_id="d1.partner", scopes=["d1-notify"], jwt_id="j", issuer=ISSUER, token_type="Bearer"
        )
        answer.issue_time.FromSeconds(1000)
        answer.expire_time.FromSeconds(1930)
        return answer

    def GetJwks(  # noqa: N802
        self, request: access_tokens_pb2.GetJwksRequest, context: grpc.ServicerContext
    ) -> access_tokens_pb2.GetJwksResponse:
        return access_tokens_pb2.GetJwksResponse(keys=[self._public()])

    def WatchPrincipals(  # noqa: N802
        self, request: principals_pb2.WatchPrincipalsRequest, context: grpc.ServicerContext
    ) -> Iterator[principals_pb2.WatchPrincipalsResponse]:
        changes: queue.SimpleQueue[principals_pb2.WatchPrincipalsResponse] = queue.SimpleQueue()
        self._watchers.append(changes)
        message = principals_pb2.WatchPrincipalsResponse()
        message.CopyFrom(self.snapshot)
        while context.is_active() and not self._stopping.is_set():
            if not self.silent:
                message.database_time.FromMilliseconds(int((time.time() + self.clock_offset) * 1000))
                yield message
            try:
                message = changes.get(timeout=HEARTBEAT / 5)
            except queue.Empty:
                message = principals_pb2.WatchPrincipalsResponse()
        self._watchers.remove(changes)

    def RecordNotifications(  # noqa: N802
        self, request: notifications_pb2.RecordNotificationsRequest, context: grpc.ServicerContext
    ) -> notifications_pb2.RecordNotificationsResponse:
        self.batches.append(len(request.records))
        self.free.wait(20)
        if self.failure:
            context.abort(self.failure, "as the test wants")
        if any(record.merchant_id == "poison" for record in request.records):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a record that cannot be")
        self.records.extend(request.records)
        outcomes = (self.outcomes.get(record.operation_id, self.outcome) for record in request.records)
        results = [notifications_pb2.RecordResult(outcome=each, notification="notifications/1") for each in outcomes]
        return notifications_pb2.RecordNotificationsResponse(results=results)

    def _note_caller(self, context: grpc.ServicerContext) -> None:
        metadata = dict(context.invocation_metadata())
        caller = str(metadata.get("authorization", ""))
        if caller == "Bearer not-ours":
            self._refuse(context, grpc.StatusCode.UNAUTHENTICATED, "ACCESS_TOKEN_INVALID")
        self.callers.append(caller)

    def _refuse(self, context: grpc.ServicerContext, code: grpc.StatusCode, reason: str) -> None:
        detail = any_pb2.Any()
        detail.Pack(error_details_pb2.ErrorInfo(domain="mintmark", reason=reason))
        status = status_pb2.Status(code=code.value[0], message="refused", details=[detail])
        context.abort_with_status(rpc_status.to_status(status))

    def _public(self) -> access_tokens_pb2.JsonWebKey:
        public = self.signing_key.export_public(as_dict=True)
        return access_tokens_pb2.JsonWebKey(
            kid="signing-1", kty="EC", crv="P-256", x=public["x"], y=public["y"], alg="ES256", use="sig"
        )
