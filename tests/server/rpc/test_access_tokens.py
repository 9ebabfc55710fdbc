"""AccessTokensService: what is issued, who may ask about it, and when it ends."""

import json
import time
from typing import Any

import pytest
from jwcrypto import jwk, jwt
from mintmark.v1 import access_tokens_pb2 as pb
from mintmark.v1 import clients_pb2, events_pb2, tokens_pb2

from tests.server.rpc.running import RunningCore, Session, refused, request_id


def introspected(session: Session, token: str) -> pb.IntrospectAccessTokenResponse:
    return session.access_tokens.IntrospectAccessToken(pb.IntrospectAccessTokenRequest(access_token=token))


def revoke(session: Session, token: str) -> None:
    session.access_tokens.RevokeAccessToken(pb.RevokeAccessTokenRequest(access_token=token))


def works(session: Session) -> bool:
    return introspected(session, session.access_token).active


def verified(core: RunningCore, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a JWT, verified with the public keys."""
    keys = jwk.JWKSet()
    for key in core.anonymous.access_tokens.GetJwks(pb.GetJwksRequest()).keys:
        keys.add(jwk.JWK(**{field.name: getattr(key, field.name) for field in key.DESCRIPTOR.fields}))
    read = jwt.JWT(algs=["ES256"])
    read.deserialize(token, keys)
    return json.loads(read.header), json.loads(read.claims)


def test_an_access_token_is_a_jwt_that_the_public_keys_verify(core: RunningCore) -> None:
    created = core.create(["tokens.read", "events.read"], ["*"])
    before = int(time.time())
    issued = core.issue(created.client.client_id, created.client_secret)
    header, claims = verified(core, issued.access_token)
    assert (header["typ"], header["alg"]) == ("at+jwt", "ES256")
    assert header["kid"]
    assert set(claims) == {"iss", "sub", "client_id", "aud", "iat", "exp", "jti", "scope"}
    assert claims["sub"] == claims["client_id"] == created.client.client_id
    assert (claims["iss"], claims["aud"]) == (core.settings.issuer, "mintmark")
    assert claims["scope"] == "events.read tokens.read"
    assert before <= claims["iat"] <= time.time()
    assert claims["exp"] == claims["iat"] + 900 + 30
    assert (issued.expires_in, issued.token_type) == (900, "Bearer")
    assert list(issued.scopes) == ["events.read", "tokens.read"]
    assert issued.expire_time.ToSeconds() == claims["iat"] + 900


def test_every_access_token_is_another_one(core: RunningCore) -> None:
    created = core.create(["tokens.read"])
    tokens = [core.issue(created.client.client_id, created.client_secret).access_token for _ in range(5)]
    assert len({verified(core, token)[1]["jti"] for token in tokens}) == 5


def test_credentials_that_do_not_match_are_refused_alike(core: RunningCore) -> None:
    created = core.create(["tokens.read"])
    texts = set()
    for client_id, secret in (
        (created.client.client_id, "wrong"),
        (created.client.client_id, created.client_secret + " "),
        ("nobody", created.client_secret),
        (created.client.client_id.upper(), created.client_secret),
        ("admin", created.client_secret),
    ):
        with refused("UNAUTHENTICATED", "CLIENT_CREDENTIALS_INVALID") as told:
            core.issue(client_id, secret)
        assert told.metadata == {}
        texts.add(told.text)
    assert len(texts) == 1


def test_scopes_are_those_asked_for(core: RunningCore) -> None:
    created = core.create(["tokens.read", "events.read", "bindings.read"])
    issued = core.issue(created.client.client_id, created.client_secret, "tokens.read", "events.read", "tokens.read")
    assert list(issued.scopes) == ["events.read", "tokens.read"]
    for scope in ("accounts.write", "nonsense", "d1-notify"):
        with refused("INVALID_ARGUMENT", "SCOPE_INVALID") as told:
            core.issue(created.client.client_id, created.client_secret, "tokens.read", scope)
        assert told.metadata == {"scope": scope}


def test_a_partners_scope_texts_are_aliases(core: RunningCore, place: str) -> None:
    created = core.create(["d1-notify"], [place])
    issued = core.issue(created.client.client_id, created.client_secret, "whatever-d1-is-told", "x y")
    assert list(issued.scopes) == ["d1-notify"]


def test_access_tokens_are_issued_on_the_internal_listener_too(core: RunningCore) -> None:
    created = core.create(["tokens.read"])
    request = pb.IssueAccessTokenRequest(client_id=created.client.client_id, client_secret=created.client_secret)
    issued = core.gateway.access_tokens.IssueAccessToken(request)
    assert verified(core, issued.access_token)[1]["client_id"] == created.client.client_id


def test_the_owner_may_ask_about_its_token(core: RunningCore) -> None:
    created = core.create(["tokens.read"])
    session = core.session(created.client.client_id, created.client_secret)
    answer = introspected(session, session.access_token)
    _, claims = verified(core, session.access_token)
    assert answer.active
    assert (answer.client_id, list(answer.scopes)) == (created.client.client_id, ["tokens.read"])
    assert (answer.issue_time.ToSeconds(), answer.expire_time.ToSeconds()) == (claims["iat"], claims["exp"])
    assert (answer.jwt_id, answer.issuer, answer.audience) == (claims["jti"], claims["iss"], claims["aud"])
    assert answer.token_type == "Bearer"


def test_others_may_ask_with_the_scope_only(core: RunningCore) -> None:
    session = core.client(["tokens.read"])
    nosy = core.client(["tokens.read"])
    assert introspected(nosy, session.access_token) == pb.IntrospectAccessTokenResponse()
    entitled = core.client(["access_tokens.introspect"])
    assert introspected(entitled, session.access_token).client_id == session.client_id
    for text in ("nonsense", "a.b.c", session.access_token[:-4] + "AAAA"):
        assert introspected(entitled, text) == pb.IntrospectAccessTokenResponse()


def test_scopes_taken_from_the_client_are_not_shown_as_granted(core: RunningCore) -> None:
    created = core.create(["tokens.read", "events.read"])
    session = core.session(created.client.client_id, created.client_secret)
    changed = clients_pb2.Client(name=created.client.name, scopes=["events.read"])
    update = clients_pb2.UpdateClientRequest(request_id=request_id(), client=changed)
    update.update_mask.paths.append("scopes")
    core.admin.clients.UpdateClient(update)
    assert list(introspected(core.admin, session.access_token).scopes) == ["events.read"]


def test_a_revoked_token_is_refused_at_once_and_others_are_not(core: RunningCore) -> None:
    created = core.create(["tokens.read"])
    first, second = (core.session(created.client.client_id, created.client_secret) for _ in range(2))
    cursor = core.admin.head()
    revoke(second, first.access_token)
    with refused("UNAUTHENTICATED", "ACCESS_TOKEN_INVALID") as told:
        first.tokens.ListTokens(tokens_pb2.ListTokensRequest())
    assert told.metadata == {"why": "revoked"}
    assert not introspected(second, first.access_token).active
    assert works(second)
    revoke(second, first.access_token)
    events = core.admin.events_after(cursor)
    # Once more changes nothing.
    assert [event.kind for event in events] == [events_pb2.EventKind.EVENT_KIND_ACCESS_TOKEN_REVOKED]
    assert (events[0].resource, events[0].actor) == (created.client.name, created.client.name)


def test_a_token_may_revoke_itself(core: RunningCore) -> None:
    session = core.client(["tokens.read"])
    revoke(session, session.access_token)
    with refused("UNAUTHENTICATED", "ACCESS_TOKEN_INVALID"):
        revoke(session, session.access_token)


def test_another_clients_token_is_left_alone(core: RunningCore) -> None:
    victim, other = core.client(["tokens.read"]), core.client(["access_tokens.introspect"])
    for token in (victim.access_token, "nonsense"):
        revoke(other, token)
    assert works(victim)


def test_a_revocation_outlives_the_core_and_so_do_tokens() -> None:
    core = RunningCore()
    try:
        created = core.create(["tokens.read"], ["*"])
        revoked, kept = (core.session(created.client.client_id, created.client_secret) for _ in range(2))
        revoke(kept, revoked.access_token)
        core.stop()
        core.start()
        assert not introspected(core.admin, revoked.access_token).active
        assert introspected(core.admin, kept.access_token).active
    finally:
        core.remove()


@pytest.mark.parametrize(
    "fields", [{"client_id": ""}, {"client_secret": ""}, {"client_id": "x" * 257}, {"scopes": [""]}]
)
def test_odd_requests_are_refused(core: RunningCore, fields: dict[str, Any]) -> None:
    request = pb.IssueAccessTokenRequest(**{"client_id": "x", "client_secret": "y", **fields})
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        core.anonymous.access_tokens.IssueAccessToken(request)
