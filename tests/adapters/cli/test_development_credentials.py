"""What `serve --sandbox` makes for the twins and the journey, and what it gives to clients of an earlier version."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from mintmark.v1 import clients_pb2

from adapters.cli.supervisor import credentials
from adapters.settings import Settings
from tests.server.rpc.running import RunningCore, request_id, running_core


@pytest.fixture
def running() -> Iterator[RunningCore]:
    with running_core() as core:
        yield core


def settings_of(core: RunningCore) -> Settings:
    return Settings(data_dir=core.folder / "data", grpc_address=core.settings.grpc_address)


def client(core: RunningCore, client_id: str) -> clients_pb2.Client:
    return core.admin.clients.GetClient(clients_pb2.GetClientRequest(name=f"clients/{client_id}")).client


def created(core: RunningCore, client_id: str, file: Path, *scopes: str) -> None:
    """A client without an issuer, as an earlier version made it."""
    request = clients_pb2.CreateClientRequest(
        request_id=request_id(), client_id=client_id, scopes=scopes, merchant_gateway_ids=["MGW_000001"]
    )
    secret = core.admin.clients.CreateClient(request).client_secret
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"client_id": client_id, "client_secret": secret}))


def test_the_clients_speak_for_the_issuer(running: RunningCore) -> None:
    made = credentials.ensure(settings_of(running))
    twin, service = client(running, made.client_id), client(running, credentials.SERVICE_CLIENT)
    assert list(twin.issuer_ids) == list(service.issuer_ids) == [credentials.ISSUER]
    assert set(credentials.SERVICE_SCOPES) == set(service.scopes)
    # Done again it changes nothing.
    assert credentials.ensure(settings_of(running)) == made
    assert client(running, credentials.SERVICE_CLIENT) == service


def test_clients_of_an_earlier_version_get_what_they_lack_and_keep_what_they_have(running: RunningCore) -> None:
    settings = settings_of(running)
    created(running, credentials.D1_CLIENT, settings.sandbox_client, "d1-notify")
    file = settings.data_dir / "credentials" / "sandbox.service.json"
    created(running, credentials.SERVICE_CLIENT, file, "tokens.read", "payments.read")
    before = file.read_text()
    credentials.ensure(settings)
    service = client(running, credentials.SERVICE_CLIENT)
    assert set(service.scopes) == {*credentials.SERVICE_SCOPES, "payments.read"}
    assert (list(service.issuer_ids), list(service.merchant_gateway_ids)) == ([credentials.ISSUER], ["MGW_000001"])
    assert list(client(running, credentials.D1_CLIENT).issuer_ids) == [credentials.ISSUER]
    assert file.read_text() == before


def test_a_client_that_somebody_has_given_the_twin_is_left_alone(running: RunningCore) -> None:
    settings = settings_of(running)
    created(running, "their-own", settings.sandbox_client, "d1-notify")
    assert credentials.ensure(settings).client_id == "their-own"
    assert list(client(running, "their-own").issuer_ids) == []
