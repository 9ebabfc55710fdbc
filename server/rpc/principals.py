"""PrincipalsService."""

from collections.abc import Callable, Iterator

from mintmark.v1 import principals_pb2 as pb

from server.domain.api_keys import ApiKey, ApiKeyState
from server.domain.clients import Client, ClientState
from server.domain.principals import Principals, RevokedAccessToken
from server.rpc import accounts
from server.rpc.access_tokens import Jwks, jwk
from server.rpc.calls import Call
from server.rpc.words import timestamp
from server.services.access_tokens import AccessTokens
from server.services.principals import Directory

HEARTBEAT_S = 1.0
# Well below the internal listener's 4 MiB; the largest single item has about 1.3 MB.
PART_BYTES = 1024 * 1024


def client_to_proto(client: Client) -> pb.PrincipalClient:
    return pb.PrincipalClient(
        name=client.name,
        client_id=client.client_id,
        scopes=client.scopes,
        merchant_gateway_ids=client.merchant_gateway_ids,
        merchant_ids=client.merchant_ids,
        issuer_ids=client.issuer_ids,
    )


def api_key_to_proto(key: ApiKey) -> pb.PrincipalApiKey:
    return pb.PrincipalApiKey(
        name=key.name,
        api_key_id=key.api_key_id,
        merchant_gateway_id=key.merchant_gateway_id,
        merchant_ids=key.merchant_ids,
        hash=pb.KeyHash.KEY_HASH_SCRYPT if key.taken_over else pb.KeyHash.KEY_HASH_HMAC_SHA256,
        key_hash=bytes.fromhex(key.key_hash),
    )


def revoked_to_proto(token: RevokedAccessToken) -> pb.RevokedAccessToken:
    return pb.RevokedAccessToken(jwt_id=token.jwt_id, expire_time=timestamp(token.expire_time))


def difference(before: Principals, after: Principals) -> pb.WatchPrincipalsResponse:
    """What a gateway that knows `before` must be told to know `after`."""
    change = pb.WatchPrincipalsResponse()
    for client in after.clients.values():
        if client.state is ClientState.ACTIVE and before.clients.get(client.name) != client:
            change.clients.append(client_to_proto(client))
    for key in after.api_keys.values():
        if key.state is ApiKeyState.ACTIVE and before.api_keys.get(key.name) != key:
            change.api_keys.append(api_key_to_proto(key))
    for account in after.accounts.values():
        if before.accounts.get(account.name) != account:
            change.accounts.append(accounts.to_proto(account))
    change.removed_names.extend(sorted(live(before) - live(after)))
    change.revoked_access_tokens.extend(
        revoked_to_proto(token) for jwt_id, token in after.revoked.items() if jwt_id not in before.revoked
    )
    return change


def live(principals: Principals) -> set[str]:
    """The names of everybody who may speak."""
    clients = {each.name for each in principals.clients.values() if each.state is ClientState.ACTIVE}
    keys = {each.name for each in principals.api_keys.values() if each.state is ApiKeyState.ACTIVE}
    return clients | keys | set(principals.accounts)


def in_parts(change: pb.WatchPrincipalsResponse) -> list[pb.WatchPrincipalsResponse]:
    """A change in messages of a bearable size, at least one: a client can have many long bindings."""
    parts = [pb.WatchPrincipalsResponse()]
    size = 0
    for field in (field for field, _ in change.ListFields()):
        for item in getattr(change, field.name):
            size += len(item.encode()) if isinstance(item, str) else item.ByteSize()
            if size > PART_BYTES:
                parts.append(pb.WatchPrincipalsResponse())
                size = 0
            getattr(parts[-1], field.name).append(item)
    return parts


class PrincipalMethods:
    """The methods of PrincipalsService, behind the wrapper of every call."""

    def __init__(
        self,
        directory: Directory,
        access_tokens: AccessTokens,
        jwks: Jwks,
        api_key_hash_key: bytes,
        database_time: Callable[[], int],
    ) -> None:
        self._directory = directory
        self._access_tokens = access_tokens
        self._jwks = jwks
        self._api_key_hash_key = api_key_hash_key
        self._database_time = database_time

    def WatchPrincipals(self, _request: pb.WatchPrincipalsRequest, call: Call) -> Iterator[pb.WatchPrincipalsResponse]:
        known = self._directory.principals
        parts = in_parts(difference(Principals(), known))
        parts[0].jwks.extend(jwk(key) for key in self._jwks())
        parts[0].api_key_hash_key = self._api_key_hash_key
        parts[0].access_token_issuer = self._access_tokens.issuer
        parts[0].access_token_audience = self._access_tokens.audience
        for part in parts:
            part.snapshot = True
            part.snapshot_complete = part is parts[-1]
            yield self._dated(part)
        while not call.over():
            after = self._directory.wait(known, HEARTBEAT_S)
            if call.over():
                break
            call.check()
            for part in in_parts(difference(known, after)):
                yield self._dated(part)
            known = after
        call.end()

    def _dated(self, response: pb.WatchPrincipalsResponse) -> pb.WatchPrincipalsResponse:
        response.database_time.CopyFrom(timestamp(self._database_time()))
        return response
