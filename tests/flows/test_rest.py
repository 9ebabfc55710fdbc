"""Every public RPC by REST and by gRPC: the same results, the same refusals, for the same caller."""

import uuid
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from mintmark.v1 import access_tokens_pb2, events_pb2, events_pb2_grpc

from adapters.inbound.rest.schema import rpc
from adapters.inbound.rest.statuses import status_of
from server.domain import scopes
from tests.flows.rest_acquirer import Acquirer, open_acquirer
from tests.flows.rest_cards import Cards, open_cards
from tests.flows.rest_cases import Known, key, lasting, reads, writes
from tests.flows.rest_consumers import open_consumers
from tests.flows.rest_issuer import FORMS, open_issuer
from tests.flows.rest_payment_subscriptions import open_subscriptions
from tests.flows.rest_payments import Shop, open_shop
from tests.flows.rest_webhooks import Webhooks, open_webhooks
from tests.rest import ROUTES, answered, told
from tests.stack import Stack
from tests.waiting import eventually

ISSUE = "AccessTokensService.IssueAccessToken"


class Caller:
    """One client, by both ways."""

    def __init__(self, stack: Stack, access_token: str) -> None:
        self._stack = stack
        self.access_token = access_token
        self.correlation_id = "walk-1"

    def rest(self, name: str, request: Message, **headers: str) -> httpx.Response:
        sent = {"x-correlation-id": self.correlation_id, **headers}
        if self.access_token:
            sent["authorization"] = f"Bearer {self.access_token}"
        return told(name, request).send(self._stack.http, **sent)

    def grpc(self, name: str, request: Message) -> Any:
        """The response, or the error that it ended with."""
        call = rpc(name)
        ask = self._stack.channel.unary_unary(call.path, call.request.SerializeToString, call.response.FromString)
        metadata: list[tuple[str, str | bytes]] = [("x-correlation-id", self.correlation_id)]
        if self.access_token:
            metadata.append(("authorization", f"Bearer {self.access_token}"))
        try:
            return ask(request, metadata=tuple(metadata), timeout=20)
        except grpc.RpcError as error:
            return error

    def same(self, name: str, request: Message, reason: str) -> Any:
        """Asks both ways, REST first. Returns what REST answered."""
        response = self.rest(name, request)
        expected = self.grpc(name, request)
        assert response.headers["x-correlation-id"] == self.correlation_id
        if reason:
            return check_problem(response, expected, reason)
        assert isinstance(expected, Message), expected
        assert response.status_code == ROUTES[name].status, response.text
        got = answered(name, response)
        assert lasting(got) == lasting(expected)
        return got


def check_problem(response: httpx.Response, error: Any, reason: str) -> dict[str, Any]:
    """The problem says what the gRPC error says."""
    assert isinstance(error, grpc.RpcError), error
    failed: Any = error
    raw = dict(failed.trailing_metadata())["grpc-status-details-bin"]
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status_pb2.Status.FromString(raw).details:
        assert detail.Unpack(info) or detail.Unpack(bad)
    assert info.reason == reason, error
    code: grpc.StatusCode = failed.code()
    problem: dict[str, Any] = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert response.status_code == problem["status"] == status_of(code, reason)
    # The gateway says of a missing request_id where it comes from in HTTP.
    if problem["metadata"].get("field") != "request_id":
        assert (problem["reason"], problem["metadata"]) == (reason, dict(info.metadata))
        assert problem["detail"] == failed.details()
        violations = [(each.field, each.description, each.reason) for each in bad.field_violations]
        assert [tuple(each.values()) for each in problem["violations"]] == violations
    return problem


def make_client(stack: Stack, *granted: str, gateways: tuple[str, ...] = ("*",)) -> tuple[str, str, str]:
    """A new client's id, secret and access token."""
    client_id = f"walker-{uuid.uuid4()}"
    body = {"clientId": client_id, "scopes": granted, "merchantGatewayIds": gateways, "issuerIds": ["*"]}
    headers = {"Idempotency-Key": key()}
    made = stack.http.post("/v1/clients", json=body, headers=headers).json()
    issued = stack.http.post(
        "/v1/accessTokens:issue", json={"clientId": client_id, "clientSecret": made["clientSecret"]}
    )
    return client_id, made["clientSecret"], issued.json()["accessToken"]


@pytest.fixture(scope="module")
def known(running_stack: Stack) -> Known:
    """A token, a binding, a merchant and their notifications, as partners make them known."""
    stack = running_stack
    applied = {"accounts": [{"accountId": "walked", "provider": "D1_ECOM", "merchantGatewayId": "MGW_WALK"}]}
    stack.http.post("/v1/partnerAccounts:apply", json=applied, headers={"Idempotency-Key": key()}).raise_for_status()
    created = {"apiKeyId": "walked", "merchantGatewayId": "TSH_WALK"}
    made = stack.http.post("/v1/apiKeys", json=created, headers={"Idempotency-Key": key()})
    tsh = {"authorization": f"APIKEY {made.json()['key']}"}
    fields = {"tokenId": "walked", "deviceId": "d/1", "merchantId": "m 1", "selectedIdvMethod": "NONE"}
    binding = {**fields, "deviceId": "d-1"}
    for path, body in (
        ("/notify-binding-creation", fields),
        ("/notify-binding-creation", binding),
        ("/notify-token-creation", {"tokenId": "walked", "merchantId": "m 1"}),
        ("/notify-merchant-update", {"merchantId": "m 1", "scheme": "VISA", "trId": "t"}),
    ):
        # The gateway hears of the new key in a moment.
        headers = {**tsh, "x-correlation-id": key()}
        eventually(lambda: stack.http.post(path, json=body, headers=headers).status_code == 204)  # noqa: B023  at once
    notified = eventually(lambda: stack.http.get("/v1/notifications?tokenId=walked").json()["notifications"])
    client_id, secret, access_token = make_client(stack, *sorted(scopes.INTERNAL))
    merchant = "merchantGateways/TSH_WALK/merchants/m%201"
    token = f"{merchant}/tokens/walked"
    cursor = stack.http.get("/v1/events").json()["nextCursor"]
    name = notified[0]["name"]
    headers = {"Idempotency-Key": key(), "authorization": f"Bearer {access_token}"}
    stack.http.post("/v1/subscriptions", json={"subscriptionId": "walked"}, headers=headers).raise_for_status()
    made = stack.http.post("/v1/replays", json={"reason": "walked", "dryRun": True}, headers=headers).raise_for_status()
    replay = made.json()["replay"]["name"]
    done = lambda: stack.http.get(f"/v1/{replay}").json()["replay"]["state"] == "REPLAY_STATE_DONE"  # noqa: E731
    eventually(done, 20, "the end of the replay")
    open_consumers(stack)
    return Known(
        token,
        f"{token}/bindings/d%2F1",
        merchant,
        name,
        cursor,
        client_id,
        secret,
        access_token,
        f"clients/{client_id}/subscriptions/walked",
        replay,
        open_shop(stack),
        open_acquirer(stack),
        open_webhooks(stack),
        *open_subscriptions(stack),
        open_issuer(stack),
        open_cards(stack),
    )


@pytest.fixture
def caller(running_stack: Stack, known: Known) -> Caller:
    return Caller(running_stack, known.access_token)


def test_reading_is_the_same_by_both_ways(caller: Caller, known: Known) -> None:
    for name, request, reason in reads(known):
        caller.same(name, request, reason)


def test_writing_is_one_request_by_both_ways(caller: Caller, known: Known) -> None:
    """gRPC's call is the repeat of REST's: it gets the first answer, so the core sees the same request in both."""
    for name, request, reason in writes(known):
        caller.same(name, request, reason)


def test_the_walk_leaves_no_rpc_out(known: Known) -> None:
    walked = [*reads(known), *writes(known)]
    assert {name for name, _, reason in walked if not reason} | {ISSUE, "EventsService.StreamEvents"} == set(ROUTES)


def test_an_access_token_that_rest_issues_is_like_grpcs(running_stack: Stack, caller: Caller, known: Known) -> None:
    request = access_tokens_pb2.IssueAccessTokenRequest(client_id=known.client_id, client_secret=known.client_secret)
    issued: Any = caller.same(ISSUE, request, "")
    again = Caller(running_stack, issued.access_token)
    again.same("ClientsService.GetClient", rpc("ClientsService.GetClient").request(name="clients/admin"), "")


def test_a_stream_begins_with_what_grpcs_stream_begins_with(running_stack: Stack, known: Known) -> None:
    stub = events_pb2_grpc.EventsServiceStub(running_stack.channel)
    wanted = events_pb2.EventFilter(resource=known.merchant)
    metadata = (("authorization", f"Bearer {known.access_token}"),)
    stream = stub.StreamEvents(events_pb2.StreamEventsRequest(cursor="0", filter=wanted), metadata=metadata)
    expected = next(event for message in stream for event in message.events)
    stream.cancel()
    headers = {"accept": "text/event-stream", "authorization": f"Bearer {known.access_token}"}
    query = {"cursor": "0", "filter.resource": known.merchant}
    with running_stack.http.stream("GET", "/v1/events", params=query, headers=headers) as response:
        lines = response.iter_lines()
        found = next(line for line in lines if line.startswith("data: "))
    assert json_format.Parse(found.removeprefix("data: "), events_pb2.Event()) == expected


@pytest.mark.parametrize("name", ROUTES)
def test_who_lacks_the_scope_or_has_no_token_is_refused_as_by_grpc(running_stack: Stack, name: str) -> None:
    call = rpc(name)
    request = next((each for case, each, reason in [*reads(ANY), *writes(ANY)] if case == name and not reason), None)
    if request is None:
        request = call.request(cursor="0") if "cursor" in call.request.DESCRIPTOR.fields_by_name else call.request()
    if call.descriptor.server_streaming or call.anonymous:
        return
    bad = Caller(running_stack, "not.a.token")
    problem = bad.same(name, request, "ACCESS_TOKEN_INVALID")
    assert problem["status"] == 401
    assert bad.rest(name, request).headers["www-authenticate"] == 'Bearer realm="mintmark", error="invalid_token"'
    if call.scope:
        other = "events.read" if call.scope != "events.read" else "tokens.read"
        lacking = Caller(running_stack, _scoped(running_stack, other))
        assert lacking.same(name, request, "SCOPE_MISSING")["metadata"] == {"scope": call.scope}


ANY = Known(
    "merchantGateways/G/merchants/M/tokens/t",
    "merchantGateways/G/merchants/M/tokens/t/bindings/b",
    "merchantGateways/G/merchants/M",
    "notifications/1",
    "0.0",
    "c",
    "s",
    "a",
    "clients/c/subscriptions/s",
    "replays/1",
    Shop(),
    Acquirer("acquirerTransactions/a~t"),
    Webhooks(),
    "paymentSubscriptions/1",
    "paymentSubscriptions/2",
    FORMS,
    Cards(),
)
_TOKENS: dict[str, str] = {}


def _scoped(stack: Stack, scope: str) -> str:
    if scope not in _TOKENS:
        _TOKENS[scope] = make_client(stack, scope)[2]
    return _TOKENS[scope]


@pytest.fixture(scope="module")
def strict() -> Iterator[Stack]:
    """A stack that lets nobody in without an access token."""
    stack = Stack()
    try:
        yield stack.start()
    finally:
        stack.remove()


def test_nobody_is_let_in_by_the_gateways_own_identity(strict: Stack) -> None:
    """Every RPC that needs a caller needs the caller's own token: without one the core says so, on each route."""
    caller = Caller(strict, "")
    for name, route in ROUTES.items():
        call = rpc(name)
        if call.anonymous or call.descriptor.server_streaming:
            continue
        request = next(each for case, each, reason in [*reads(ANY), *writes(ANY)] if case == name and not reason)
        problem = caller.same(name, request, "ACCESS_TOKEN_INVALID")
        assert problem["metadata"] == {"why": "none was sent"}, route
        assert caller.rest(name, request).headers["www-authenticate"] == 'Bearer realm="mintmark"'
    streamed = strict.http.get("/v1/events", headers={"accept": "text/event-stream"})
    assert (streamed.status_code, streamed.json()["reason"]) == (401, "ACCESS_TOKEN_INVALID")
    # The same token works where its client may, and only there.
    client_id, secret = strict.credentials()
    issued = strict.http.post("/v1/accessTokens:issue", json={"clientId": client_id, "clientSecret": secret})
    headers = {"authorization": f"Bearer {issued.json()['accessToken']}"}
    assert strict.http.get("/v1/clients/admin", headers=headers).status_code == 200
    assert issued.headers["cache-control"] == "no-store"


def test_what_one_client_may_not_see_is_not_there(running_stack: Stack, known: Known) -> None:
    stranger = Caller(running_stack, make_client(running_stack, "tokens.read", gateways=("ELSEWHERE",))[2])
    get = rpc("TokensService.GetToken").request(name=known.token)
    assert stranger.same("TokensService.GetToken", get, "RESOURCE_NOT_FOUND")["status"] == 404
    listed = rpc("TokensService.ListTokens").request()
    assert not stranger.same("TokensService.ListTokens", listed, "").tokens
