"""WatchPrincipals: what a gateway knows of everybody who may speak."""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jwcrypto import jwk, jwt
from mintmark.v1 import access_tokens_pb2, accounts_pb2, api_keys_pb2, clients_pb2
from mintmark.v1 import principals_pb2 as pb

from tests.server.rpc.running import RunningCore, refused, request_id


class Watch:
    """A gateway's picture, kept as the stream says."""

    def __init__(self, core: RunningCore) -> None:
        self._stream: Any = core.gateway.principals.WatchPrincipals(pb.WatchPrincipalsRequest(), timeout=60)
        self.first = next(self._stream)
        self.known: dict[str, Any] = {}
        self.revoked: set[str] = set()
        self._take(self.first)

    def _take(self, message: pb.WatchPrincipalsResponse) -> None:
        self.known |= {each.name: each for each in message.clients}
        self.known |= {each.name: each for each in message.api_keys}
        self.known |= {each.name: each for each in message.accounts}
        for name in message.removed_names:
            self.known.pop(name, None)
        self.revoked |= {each.jwt_id for each in message.revoked_access_tokens}

    def until(self, check: Callable[[], object]) -> None:
        """Reads on until the picture is as wanted: within the 5 s that a change may take."""
        began = time.monotonic()
        while not check():
            assert time.monotonic() - began < 5
            message = next(self._stream)
            assert not message.snapshot
            self._take(message)

    def next(self) -> pb.WatchPrincipalsResponse:
        message: pb.WatchPrincipalsResponse = next(self._stream)
        self._take(message)
        return message

    def close(self) -> None:
        self._stream.cancel()


@pytest.fixture
def watch(core: RunningCore) -> Iterator[Watch]:
    watching = Watch(core)
    yield watching
    watching.close()


def test_the_first_message_is_everything(core: RunningCore, place: str) -> None:
    created, key = core.create(["d1-notify"], [place], ["m-1"], ["issuer"]), core.api_key(place, ["m-2"])
    watching = Watch(core)
    first = watching.first
    assert first.snapshot
    assert len(first.api_key_hash_key) >= 32
    assert first.access_token_audience == "mintmark"
    assert first.access_token_issuer == core.settings.issuer
    assert abs(first.database_time.ToSeconds() - time.time()) < 10
    client = watching.known[created.client.name]
    assert client == pb.PrincipalClient(
        name=created.client.name,
        client_id=created.client.client_id,
        scopes=["d1-notify"],
        merchant_gateway_ids=[place],
        merchant_ids=["m-1"],
        issuer_ids=["issuer"],
    )
    shown = watching.known[key]
    assert (shown.merchant_gateway_id, list(shown.merchant_ids)) == (place, ["m-2"])
    assert {"clients/admin", "clients/role.gateway", "clients/role.dispatcher"} <= set(watching.known)
    token = jwt.JWT(jwt=core.admin.access_token, algs=["ES256"])
    (public,) = [each for each in first.jwks if each.kid == token.token.jose_header["kid"]]
    fields = {field.name: getattr(public, field.name) for field in public.DESCRIPTOR.fields}
    token.validate(jwk.JWK(**fields))
    watching.close()


def test_a_key_that_was_made_is_known_by_its_keyed_hash(core: RunningCore, place: str, watch: Watch) -> None:
    request = api_keys_pb2.CreateApiKeyRequest(
        request_id=request_id(), api_key_id=f"made-{place}", merchant_gateway_id=place
    )
    created = core.admin.api_keys.CreateApiKey(request)
    watch.until(lambda: created.api_key.name in watch.known)
    known = watch.known[created.api_key.name]
    assert known.hash == pb.KeyHash.KEY_HASH_HMAC_SHA256
    assert known.key_hash == hmac.digest(watch.first.api_key_hash_key, created.key.encode(), "sha256")
    core.admin.api_keys.RevokeApiKey(api_keys_pb2.RevokeApiKeyRequest(name=created.api_key.name))
    watch.until(lambda: created.api_key.name not in watch.known)


def test_a_key_that_was_taken_over_is_known_by_its_scrypt_hash(core: RunningCore, place: str, watch: Watch) -> None:
    key = f"c03f88fe-01ba-11e8-ba89-{place}"
    request = api_keys_pb2.CreateApiKeyRequest(
        request_id=request_id(), api_key_id=f"taken-{place}", merchant_gateway_id=place, taken_over_key=key
    )
    name = core.admin.api_keys.CreateApiKey(request).api_key.name
    watch.until(lambda: name in watch.known)
    assert watch.known[name].hash == pb.KeyHash.KEY_HASH_SCRYPT
    salt = watch.first.api_key_hash_key
    expected = hashlib.scrypt(key.encode(), salt=salt, n=16384, r=8, p=1, dklen=32, maxmem=64 * 1024 * 1024)
    assert watch.known[name].key_hash == expected


def test_changes_of_clients_are_told(core: RunningCore, place: str, watch: Watch) -> None:
    created = core.create(["tokens.read"], [place])
    name = created.client.name
    watch.until(lambda: name in watch.known)
    update = clients_pb2.UpdateClientRequest(
        request_id=request_id(), client=clients_pb2.Client(name=name, merchant_gateway_ids=["a", "b"])
    )
    update.update_mask.paths.append("merchant_gateway_ids")
    core.admin.clients.UpdateClient(update)
    watch.until(lambda: list(watch.known[name].merchant_gateway_ids) == ["a", "b"])
    core.admin.clients.DisableClient(clients_pb2.DisableClientRequest(request_id=request_id(), name=name))
    watch.until(lambda: name not in watch.known)
    core.admin.clients.EnableClient(clients_pb2.EnableClientRequest(request_id=request_id(), name=name))
    watch.until(lambda: name in watch.known)
    assert list(watch.known[name].merchant_gateway_ids) == ["a", "b"]


def test_changes_of_accounts_are_told(core: RunningCore, place: str, watch: Watch) -> None:
    stated = accounts_pb2.Account(
        account_id=place, provider=accounts_pb2.AccountProvider.ACCOUNT_PROVIDER_TSH, merchant_gateway_id=place
    )
    name = f"partnerAccounts/{place}"
    for change in ("", "renamed"):
        stated.display_name = change
        request = accounts_pb2.ApplyAccountsRequest(request_id=request_id(), accounts=[stated])
        core.admin.accounts.ApplyAccounts(request)
        watch.until(lambda: name in watch.known and watch.known[name].display_name == stated.display_name)
    others = [account for account in watch.known.values() if isinstance(account, accounts_pb2.Account)]
    kept = [account for account in others if account.name != name]
    core.admin.accounts.ApplyAccounts(
        accounts_pb2.ApplyAccountsRequest(request_id=request_id(), accounts=kept, delete_missing=True)
    )
    watch.until(lambda: name not in watch.known)


def test_revoked_access_tokens_are_told(core: RunningCore, watch: Watch) -> None:
    created = core.create(["tokens.read"])
    session = core.session(created.client.client_id, created.client_secret)
    jwt_id = session.access_tokens.IntrospectAccessToken(
        access_tokens_pb2.IntrospectAccessTokenRequest(access_token=session.access_token)
    ).jwt_id
    revoke = access_tokens_pb2.RevokeAccessTokenRequest(access_token=session.access_token)
    session.access_tokens.RevokeAccessToken(revoke)
    watch.until(lambda: jwt_id in watch.revoked)
    late = Watch(core)
    assert jwt_id in late.revoked
    late.close()


def test_a_heartbeat_comes_every_second(watch: Watch) -> None:
    began = time.monotonic()
    for _ in range(2):
        message = watch.next()
        assert not message.snapshot
        assert message.HasField("database_time")
        assert not message.api_key_hash_key
    assert time.monotonic() - began < 5


def test_the_watch_is_for_the_gateways_role(core: RunningCore) -> None:
    dispatcher = core.house("role.dispatcher", internal=True)
    with refused("PERMISSION_DENIED", "SCOPE_MISSING"):
        next(dispatcher.principals.WatchPrincipals(pb.WatchPrincipalsRequest(), timeout=10))


def test_a_large_snapshot_comes_in_parts(core: RunningCore, place: str) -> None:
    """In one message it would pass the listener's limit, and every gateway would be without principals for ever."""
    for number in range(3):
        merchants = [f"{number}-{merchant:0110}" for merchant in range(7000)]
        request = api_keys_pb2.CreateApiKeyRequest(
            request_id=request_id(), api_key_id=f"{place}-{number}", merchant_gateway_id=place, merchant_ids=merchants
        )
        core.admin.api_keys.CreateApiKey(request)
    parts = []
    stream: Any = core.gateway.principals.WatchPrincipals(pb.WatchPrincipalsRequest(), timeout=60)
    for message in stream:
        parts.append(message)
        if message.snapshot_complete:
            break
    stream.cancel()
    assert len(parts) > 1
    assert all(part.snapshot for part in parts)
    assert [part.snapshot_complete for part in parts] == [False] * (len(parts) - 1) + [True]
    assert max(part.ByteSize() for part in parts) < 3 * 1024 * 1024
    known = [key.name for part in parts for key in part.api_keys]
    assert {f"apiKeys/{place}-{number}" for number in range(3)} <= set(known)
    assert len(known) == len(set(known))
