"""The development credentials that `serve --sandbox` makes at its first start and keeps in the data folder."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.cli.refusals import Refused
from adapters.cli.session import Session, connect, request_id

if TYPE_CHECKING:
    from adapters.settings import Settings

# Obviously for development: the names say it.
D1_CLIENT = "d1-sandbox"
SERVICE_CLIENT = "orders-sandbox"
API_KEY = "tsh-sandbox"
MERCHANT_GATEWAY = "MGW_000001"
MERCHANT = "10610027312"
TSH_GATEWAY = "TSH_000001"
TSH_MERCHANT = "merchant-0001"
ISSUER = "ISSUER0001"
SERVICE_SCOPES = (
    *("tokens.read", "bindings.read", "merchants.read", "notifications.read", "events.read"),
    *("cards.read", "cards.write", "consumers.write"),
)


@dataclass(frozen=True, slots=True)
class DevelopmentCredentials:
    """What the twins and the internal service of the journey authenticate with."""

    client_id: str
    client_secret: str
    api_key: str
    service_file: Path


def ensure(settings: "Settings") -> DevelopmentCredentials:
    """Makes what is missing: in the data folder, or in a database that does not know the data folder's. Safe to repeat.

    Raises Refused.
    """
    service_file = settings.data_dir / "credentials" / "sandbox.service.json"
    with connect(settings) as session:
        client = _client(session, settings.sandbox_client, D1_CLIENT, ("d1-notify",), (MERCHANT_GATEWAY,))
        # A client that somebody has given the twin is theirs.
        if client["client_id"] == D1_CLIENT:
            _bind(session, D1_CLIENT, ("d1-notify",))
        _client(session, service_file, SERVICE_CLIENT, SERVICE_SCOPES, (MERCHANT_GATEWAY, TSH_GATEWAY))
        _bind(session, SERVICE_CLIENT, SERVICE_SCOPES)
        key = _api_key(session, settings.sandbox_api_key)
    return DevelopmentCredentials(client["client_id"], client["client_secret"], key, service_file)


def _client(
    session: Session, path: Path, client_id: str, scopes: tuple[str, ...], gateways: tuple[str, ...]
) -> dict[str, str]:
    from google.protobuf.duration_pb2 import Duration
    from mintmark.v1 import clients_pb2, clients_pb2_grpc

    kept = _read(path, "client_id", "client_secret")
    if kept and _valid(session, kept):
        return kept
    stub = clients_pb2_grpc.ClientsServiceStub(session.channel)
    create = clients_pb2.CreateClientRequest(
        request_id=request_id(),
        client_id=client_id,
        display_name="development only",
        scopes=scopes,
        merchant_gateway_ids=gateways,
        issuer_ids=[ISSUER],
    )
    try:
        secret = session.call(stub.CreateClient, create).client_secret
    except Refused as refused:
        if refused.reason != "RESOURCE_EXISTS":
            raise
        # The database knows the client and the data folder has lost its secret.
        rotate = clients_pb2.RotateClientSecretRequest(
            request_id=request_id(), name=f"clients/{client_id}", old_secret_lifetime=Duration()
        )
        secret = session.call(stub.RotateClientSecret, rotate).client_secret
    made = {"client_id": client_id, "client_secret": secret}
    _write(path, made)
    return made


def _bind(session: Session, client_id: str, scopes: tuple[str, ...]) -> None:
    """Gives a client what it lacks: one of an earlier version knows fewer scopes, and no issuer."""
    from mintmark.v1 import clients_pb2, clients_pb2_grpc

    stub = clients_pb2_grpc.ClientsServiceStub(session.channel)
    request = clients_pb2.GetClientRequest(name=f"clients/{client_id}")
    client = session.call(stub.GetClient, request).client
    missing = {"scopes": set(scopes) - set(client.scopes), "issuer_ids": {ISSUER, "*"}.isdisjoint(client.issuer_ids)}
    if not any(missing.values()):
        return
    client.scopes[:] = sorted({*client.scopes, *scopes})
    client.issuer_ids[:] = sorted({*client.issuer_ids, ISSUER})
    update = clients_pb2.UpdateClientRequest(request_id=request_id(), client=client)
    update.update_mask.paths.extend(name for name, lacking in missing.items() if lacking)
    session.call(stub.UpdateClient, update)


def _valid(session: Session, kept: dict[str, str]) -> bool:
    from mintmark.v1 import access_tokens_pb2, access_tokens_pb2_grpc

    request = access_tokens_pb2.IssueAccessTokenRequest(
        client_id=kept["client_id"], client_secret=kept["client_secret"]
    )
    try:
        session.call(access_tokens_pb2_grpc.AccessTokensServiceStub(session.channel).IssueAccessToken, request)
    except Refused as refused:
        if refused.reason != "CLIENT_CREDENTIALS_INVALID":
            raise
        return False
    return True


def _api_key(session: Session, path: Path) -> str:
    from mintmark.v1 import api_keys_pb2, api_keys_pb2_grpc

    stub = api_keys_pb2_grpc.ApiKeysServiceStub(session.channel)
    kept = _read(path, "api_key_id", "api_key")
    if kept and _active(session, stub, kept["api_key_id"]):
        return kept["api_key"]
    number = 1
    while True:
        # A key cannot be shown again: where the data folder has lost it, another one takes its place.
        name = API_KEY if number == 1 else f"{API_KEY}-{number}"
        create = api_keys_pb2.CreateApiKeyRequest(
            request_id=request_id(), api_key_id=name, merchant_gateway_id=TSH_GATEWAY
        )
        try:
            key = session.call(stub.CreateApiKey, create).key
        except Refused as refused:
            if refused.reason != "RESOURCE_EXISTS":
                raise
            number += 1
            continue
        _write(path, {"api_key_id": name, "api_key": key})
        return key


def _active(session: Session, stub: Any, name: str) -> bool:
    from mintmark.v1 import api_keys_pb2

    try:
        answer = session.call(stub.GetApiKey, api_keys_pb2.GetApiKeyRequest(name=f"apiKeys/{name}"))
    except Refused as refused:
        if refused.reason != "RESOURCE_NOT_FOUND":
            raise
        return False
    return bool(answer.api_key.state == api_keys_pb2.API_KEY_STATE_ACTIVE)


def _read(path: Path, *keys: str) -> dict[str, str] | None:
    try:
        document = json.loads(path.read_text())
        return {key: str(document[key]) for key in keys}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, document: dict[str, str]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(document, file)
    fresh.replace(path)
