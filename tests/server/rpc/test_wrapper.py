"""The wrapper of every call without a network: what it asks of gRPC, and in which order it says no."""

from typing import Any

import grpc
import grpc_testing
import pytest
from mintmark.v1 import events_pb2, tokens_pb2

from server.keys import keyring
from server.keys.hashing import Hasher
from server.rpc.events import Events
from server.rpc.pages import PageTokens
from server.rpc.tokens import Tokens
from tests.server.rpc.running import RunningCore, request_id

TOKENS = tokens_pb2.DESCRIPTOR.services_by_name["TokensService"]
EVENTS = events_pb2.DESCRIPTOR.services_by_name["EventsService"]


@pytest.fixture
def server(core: RunningCore) -> Any:
    """The core's own servicers in a server that only pretends."""
    inner = core.core
    pages = PageTokens(Hasher(keyring.load(core.settings.keyring)))
    servicers = {
        TOKENS: inner.calls.wrap(Tokens(inner.store, inner.store.view, inner.calls, pages), TOKENS),
        EVENTS: inner.calls.wrap(Events(inner.store, inner.feed), EVENTS),
    }
    return grpc_testing.server_from_dictionary(servicers, grpc_testing.strict_real_time())


def invoke(
    server: Any, method: str, request: Any, metadata: tuple[tuple[str, str], ...], timeout: float | None = 10
) -> tuple[Any, grpc.StatusCode]:
    call = server.invoke_unary_unary(TOKENS.methods_by_name[method], metadata, request, timeout)
    response, _, code, _ = call.termination()
    return response, code


def test_a_call_is_answered(core: RunningCore, server: Any, place: str) -> None:
    entry = tokens_pb2.TokenImport(
        merchant_gateway_id=place,
        merchant_id="m",
        token_id="t",
        provider=tokens_pb2.TokenProvider.TOKEN_PROVIDER_TSH,
    )
    request = tokens_pb2.ImportTokensRequest(request_id=request_id(), tokens=[entry])
    response, code = invoke(server, "ImportTokens", request, core.admin.metadata)
    assert (response.created_count, code) == (1, grpc.StatusCode.OK)
    name = f"merchantGateways/{place}/merchants/m/tokens/t"
    response, code = invoke(server, "GetToken", tokens_pb2.GetTokenRequest(name=name), core.admin.metadata, None)
    assert (response.token.name, code) == (name, grpc.StatusCode.OK)


def test_who_calls_is_asked_before_what_is_asked_for(core: RunningCore, server: Any) -> None:
    invalid, nothing = tokens_pb2.GetTokenRequest(), tokens_pb2.GetTokenRequest(name="nothing")
    weak = core.client(["events.read"]).metadata
    seen = [
        invoke(server, "GetToken", request, metadata)[1]
        for request, metadata in ((invalid, ()), (invalid, weak), (invalid, core.admin.metadata), (nothing, weak))
    ]
    seen.append(invoke(server, "GetToken", nothing, core.admin.metadata)[1])
    code = grpc.StatusCode
    assert seen == [
        code.UNAUTHENTICATED,
        code.PERMISSION_DENIED,
        code.INVALID_ARGUMENT,
        code.PERMISSION_DENIED,
        code.NOT_FOUND,
    ]


def test_a_call_that_arrives_after_its_deadline_is_dropped(core: RunningCore, server: Any, place: str) -> None:
    entry = tokens_pb2.TokenImport(
        merchant_gateway_id=place,
        merchant_id="m",
        token_id="late",
        provider=tokens_pb2.TokenProvider.TOKEN_PROVIDER_TSH,
    )
    request = tokens_pb2.ImportTokensRequest(request_id=request_id(), tokens=[entry])
    _, code = invoke(server, "ImportTokens", request, core.admin.metadata, 0)
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert core.admin.events_after("0", merchant_gateway_id=place) == []


def test_a_stream_is_answered_until_its_caller_goes(core: RunningCore, server: Any) -> None:
    method = EVENTS.methods_by_name["StreamEvents"]
    request = events_pb2.StreamEventsRequest(cursor="0")
    call = server.invoke_unary_stream(method, core.admin.metadata, request, 30)
    first = call.take_response()
    assert first.events[0].sequence == 1
    call.cancel()
