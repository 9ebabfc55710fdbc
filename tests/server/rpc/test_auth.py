"""Who may call what: the schema's policies hold for every RPC."""

from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from mintmark.v1 import access_tokens_pb2, clients_pb2, events_pb2, tokens_pb2

from server.domain.scopes import ALL, INTERNAL, PARTNER, ROLES
from tests.server.rpc.running import RunningCore, Session, refused, request_id, running_core
from tests.server.rpc.schema import call, methods, path, policy

PUBLIC = [method for method in methods() if not policy(method).internal]
INTERNAL_ONLY = [method for method in methods() if policy(method).internal]
SCOPED = [method for method in PUBLIC if policy(method).scope]


def refusal(run: Callable[[], object]) -> str:
    """The reason that a call is refused with; empty where it went through."""
    try:
        run()
    except grpc.RpcError as error:
        told: Any = error
        details = dict(told.trailing_metadata() or ())["grpc-status-details-bin"]
        for reason in (b"SCOPE_MISSING", b"ACCESS_TOKEN_INVALID", b"FIELD_INVALID"):
            if reason in details:
                return reason.decode()
        return str(told.code().name)
    return ""


def test_every_method_says_who_may_call_it() -> None:
    for method in methods():
        stated = policy(method)
        assert bool(stated.scope) + stated.anonymous + stated.any_client == 1, path(method)
        assert stated.scope == "" or stated.scope in ALL
    assert {policy(method).scope for method in SCOPED} == INTERNAL - {"access_tokens.introspect"}
    assert {policy(method).scope for method in INTERNAL_ONLY} <= ROLES


@pytest.fixture(scope="module")
def everything_but(core: RunningCore) -> dict[str, Session]:
    """For each scope a client that has every other one."""
    created = core.create(sorted(INTERNAL), ["*"])
    return {
        scope: core.session(created.client.client_id, created.client_secret, *sorted(INTERNAL - {scope}))
        for scope in INTERNAL
    }


@pytest.mark.parametrize("method", SCOPED, ids=path)
def test_a_caller_without_the_scope_is_refused(
    core: RunningCore, everything_but: dict[str, Session], method: MethodDescriptor
) -> None:
    scope = policy(method).scope
    with refused("PERMISSION_DENIED", "SCOPE_MISSING") as told:
        call(core.public, method, everything_but[scope].metadata)
    assert told.metadata == {"scope": scope}
    with_it = refusal(lambda: call(core.public, method, core.admin.metadata))
    assert with_it not in ("SCOPE_MISSING", "ACCESS_TOKEN_INVALID")


@pytest.mark.parametrize("method", [m for m in methods() if not policy(m).anonymous], ids=path)
def test_a_caller_without_an_access_token_is_refused(core: RunningCore, method: MethodDescriptor) -> None:
    channel = core.internal if policy(method).internal else core.public
    with refused("UNAUTHENTICATED", "ACCESS_TOKEN_INVALID") as told:
        call(channel, method)
    assert told.metadata["why"]


@pytest.mark.parametrize("method", [m for m in methods() if policy(m).anonymous], ids=path)
def test_an_anonymous_method_asks_for_none(core: RunningCore, method: MethodDescriptor) -> None:
    assert refusal(lambda: call(core.public, method)) in ("", "FIELD_INVALID")
    assert refusal(lambda: call(core.internal, method)) in ("", "FIELD_INVALID")


@pytest.mark.parametrize("method", INTERNAL_ONLY, ids=path)
def test_the_internal_methods_are_for_their_roles_and_not_on_the_public_listener(
    core: RunningCore, method: MethodDescriptor
) -> None:
    for session in (core.gateway, core.admin):
        with pytest.raises(grpc.RpcError) as caught:
            call(core.public, method, session.metadata)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    with refused("PERMISSION_DENIED", "SCOPE_MISSING"):
        call(core.internal, method, core.admin.metadata)


@pytest.mark.parametrize("method", [m for m in SCOPED if policy(m).scope not in ROLES], ids=path)
def test_the_public_methods_are_not_on_the_internal_listener(core: RunningCore, method: MethodDescriptor) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(core.internal, method, core.admin.metadata)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a.b.c", "nonsense", "Bearer " + "x" * 5000]
)
def test_an_authorization_that_is_none_is_refused(core: RunningCore, authorization: str) -> None:
    session = Session(core.public, (("authorization", authorization),))
    with refused("UNAUTHENTICATED", "ACCESS_TOKEN_INVALID"):
        session.tokens.ListTokens(tokens_pb2.ListTokensRequest())


def test_a_changed_or_unsigned_token_is_refused(core: RunningCore) -> None:
    header, claims, signature = core.admin.access_token.split(".")
    flipped = ("A" if signature[5] != "A" else "B").join((signature[:5], signature[6:]))
    none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0"
    for token in (f"{header}.{claims}.{flipped}", f"{none}.{claims}.", f"{none}.{claims}.{signature}"):
        session = Session(core.public, (("authorization", f"Bearer {token}"),))
        with refused("UNAUTHENTICATED", "ACCESS_TOKEN_INVALID"):
            session.tokens.ListTokens(tokens_pb2.ListTokensRequest())


def test_the_scheme_is_read_in_any_case(core: RunningCore) -> None:
    session = Session(core.public, (("authorization", f"bEARER {core.admin.access_token}"),))
    session.tokens.ListTokens(tokens_pb2.ListTokensRequest(page_size=1))


def test_a_token_asked_for_with_fewer_scopes_has_fewer(core: RunningCore) -> None:
    created = core.create(["tokens.read", "events.read"], ["*"])
    session = core.session(created.client.client_id, created.client_secret, "events.read")
    session.events.ListEvents(events_pb2.ListEventsRequest(page_size=1))
    with refused("PERMISSION_DENIED", "SCOPE_MISSING"):
        session.tokens.ListTokens(tokens_pb2.ListTokensRequest())


def test_a_disabled_client_is_refused_at_once(core: RunningCore) -> None:
    created = core.create(["tokens.read"], ["*"])
    session = core.session(created.client.client_id, created.client_secret)
    session.tokens.ListTokens(tokens_pb2.ListTokensRequest(page_size=1))
    name = created.client.name
    core.admin.clients.DisableClient(clients_pb2.DisableClientRequest(request_id=request_id(), name=name))
    with refused("UNAUTHENTICATED", "ACCESS_TOKEN_INVALID"):
        session.tokens.ListTokens(tokens_pb2.ListTokensRequest(page_size=1))
    with refused("UNAUTHENTICATED", "CLIENT_CREDENTIALS_INVALID"):
        core.issue(created.client.client_id, created.client_secret)
    core.admin.clients.EnableClient(clients_pb2.EnableClientRequest(request_id=request_id(), name=name))
    session.tokens.ListTokens(tokens_pb2.ListTokensRequest(page_size=1))


def test_a_scope_taken_from_the_client_is_taken_from_its_tokens(core: RunningCore) -> None:
    created = core.create(["tokens.read", "events.read"], ["*"])
    session = core.session(created.client.client_id, created.client_secret)
    changed = clients_pb2.Client(name=created.client.name, scopes=["events.read"])
    update = clients_pb2.UpdateClientRequest(request_id=request_id(), client=changed)
    update.update_mask.paths.append("scopes")
    core.admin.clients.UpdateClient(update)
    with refused("PERMISSION_DENIED", "SCOPE_MISSING"):
        session.tokens.ListTokens(tokens_pb2.ListTokensRequest(page_size=1))
    # And one that is given later is not in a token issued before.
    changed.scopes[:] = ["bindings.read", "events.read"]
    update.request_id = request_id()
    update.client.CopyFrom(changed)
    core.admin.clients.UpdateClient(update)
    session.events.ListEvents(events_pb2.ListEventsRequest(page_size=1))
    assert core.issue(created.client.client_id, created.client_secret).scopes == ["bindings.read", "events.read"]


def test_development_lets_everybody_in_with_every_scope_that_is_no_roles() -> None:
    with running_core(development=True) as core:
        for method in PUBLIC:
            if method.server_streaming:
                continue
            assert refusal(partial(call, core.public, method)) not in (
                "SCOPE_MISSING",
                "ACCESS_TOKEN_INVALID",
            ), path(method)
        for method in INTERNAL_ONLY:
            with refused("UNAUTHENTICATED", "ACCESS_TOKEN_INVALID"):
                call(core.internal, method)
        # A token that is sent counts.
        with refused("UNAUTHENTICATED", "ACCESS_TOKEN_INVALID"):
            Session(core.public, (("authorization", "Bearer x"),)).tokens.ListTokens(tokens_pb2.ListTokensRequest())
        created = core.create(["events.read"], ["*"])
        weak = core.session(created.client.client_id, created.client_secret)
        with refused("PERMISSION_DENIED", "SCOPE_MISSING"):
            weak.tokens.ListTokens(tokens_pb2.ListTokensRequest())
        # Somebody in particular makes the request, so that its id has an owner.
        entry = tokens_pb2.TokenImport(
            merchant_gateway_id="g",
            merchant_id="m",
            token_id="t",
            provider=tokens_pb2.TokenProvider.Value("TOKEN_PROVIDER_TSH"),
        )
        request = tokens_pb2.ImportTokensRequest(request_id=request_id(), tokens=[entry])
        assert core.anonymous.tokens.ImportTokens(request) == core.anonymous.tokens.ImportTokens(request)
        (event,) = core.anonymous.events_after("0", merchant_gateway_id="g")
        assert event.actor == "clients/development"


def test_an_expired_access_token_is_refused() -> None:
    with running_core(clock=True) as core:
        issued = core.issue(*secret_of(core))
        session = Session(core.public, (("authorization", f"Bearer {issued.access_token}"),))
        core.advance(issued.expires_in + 25)
        session.tokens.ListTokens(tokens_pb2.ListTokensRequest())
        core.advance(10)
        with refused("UNAUTHENTICATED", "ACCESS_TOKEN_INVALID") as told:
            session.tokens.ListTokens(tokens_pb2.ListTokensRequest())
        assert told.metadata == {"why": "expired"}
        introspect = access_tokens_pb2.IntrospectAccessTokenRequest(access_token=issued.access_token)
        assert not core.admin.access_tokens.IntrospectAccessToken(introspect).active


def secret_of(core: RunningCore) -> tuple[str, str]:
    created = core.create(["tokens.read"], ["*"])
    return created.client.client_id, created.client_secret


def test_partner_clients_call_nothing_of_ours(core: RunningCore, place: str) -> None:
    created = core.create(sorted(PARTNER), [place])
    session = core.session(created.client.client_id, created.client_secret)
    for method in SCOPED:
        with refused("PERMISSION_DENIED", "SCOPE_MISSING"):
            call(core.public, method, session.metadata)
