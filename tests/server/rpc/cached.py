"""Tokens and bindings written and read through the public API, and held against the database."""

import uuid
from collections.abc import Iterator, Sequence

import grpc
from mintmark.v1 import bindings_pb2, tokens_pb2
from mintmark.v1 import notifications_pb2 as pb

from server.rpc import bindings, tokens
from tests.server.rpc import notices
from tests.server.rpc.notices import MERCHANT
from tests.server.rpc.running import RunningCore, request_id


class Cached:
    """What one gateway's partner and an administrator do on one core, read on every core."""

    def __init__(self, cores: Sequence[RunningCore], gateway: str) -> None:
        self.cores = cores
        self.writing = cores[0]
        self._gateway = gateway
        self._partner = cores[0].partner(gateway)
        self._key = cores[0].api_key(gateway)
        self.token = f"merchantGateways/{gateway}/merchants/{MERCHANT}/tokens/t-1"
        self.other_token = f"merchantGateways/{gateway}/merchants/{MERCHANT}/tokens/t-2"
        self.binding = f"{self.token}/bindings/d-1"
        self._repeated_binding = self._tsh("binding_update", {"binding_state": "ACTIVE", "device_type": "PHONE"})
        self._repeated = notices.d1(self._partner, gateway, correlation_id=f"again-{uuid.uuid4()}")

    def steps(self) -> Iterator[str]:
        """Writes of every kind, one at a time; what each was."""
        yield "nothing is there yet"
        self._record(notices.d1(self._partner, self._gateway))
        yield "a token appears"
        for _ in range(2):
            self._record(self._repeated)
        yield "a notification comes twice: the second one has no event"
        self.disable()
        yield "a token is disabled"
        self.enable()
        yield "a token is enabled"
        entry = tokens_pb2.TokenImport(
            merchant_gateway_id=self._gateway,
            merchant_id=MERCHANT,
            token_id="t-2",
            provider=tokens_pb2.TOKEN_PROVIDER_TSH,
        )
        self.writing.admin.tokens.ImportTokens(tokens_pb2.ImportTokensRequest(request_id=request_id(), tokens=[entry]))
        yield "a token is imported"
        self._record(self._tsh("binding_creation", {"idv_method": "NONE"}))
        yield "a binding appears"
        self._record(self._tsh("binding_update", {"binding_state": "ACTIVE"}))
        yield "a binding changes"

    def disable(self) -> str:
        request = tokens_pb2.DisableTokenRequest(request_id=request_id(), name=self.token, reason="lost")
        return self.writing.admin.tokens.DisableToken(request).token.etag

    def enable(self) -> str:
        request = tokens_pb2.EnableTokenRequest(request_id=request_id(), name=self.token)
        return self.writing.admin.tokens.EnableToken(request).token.etag

    def deliver(self) -> None:
        """Delivers a notification that is a repeat from the second time on: it raises the token's delivery count."""
        self._record(self._repeated)

    def deliver_binding(self) -> None:
        """The same for the binding."""
        self._record(self._repeated_binding)

    def holds(self, step: str = "") -> None:
        """Every core shows what the database has, and shows it again."""
        for _ in range(3):
            for core in self.cores:
                view = core.core.store.view
                for name in (self.token, self.other_token):
                    token = view.token(name)
                    assert token_at(core, name) == (token and tokens.to_proto(token)), step
                binding = view.binding(self.binding)
                assert binding_at(core, self.binding) == (binding and bindings.to_proto(binding)), step

    def _tsh(self, what: str, told: dict[str, str]) -> pb.NotificationRecord:
        return notices.tsh(self._key, what, told)

    def _record(self, record: pb.NotificationRecord) -> None:
        (result,) = notices.record(self.writing, record)
        assert result.outcome in (pb.RECORD_OUTCOME_STORED, pb.RECORD_OUTCOME_REPEATED)


def token_at(core: RunningCore, name: str) -> tokens_pb2.Token | None:
    try:
        return core.admin.tokens.GetToken(tokens_pb2.GetTokenRequest(name=name)).token
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
        return None


def binding_at(core: RunningCore, name: str) -> bindings_pb2.Binding | None:
    try:
        return core.admin.bindings.GetBinding(bindings_pb2.GetBindingRequest(name=name)).binding
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
        return None
