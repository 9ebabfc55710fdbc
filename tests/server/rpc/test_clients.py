"""ClientsService."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import clients_pb2 as pb
from mintmark.v1 import events_pb2

from tests.server.rpc.running import RunningCore, code_of, refused, request_id, running_core

SHOWN = pb.SecretDelivery.SECRET_DELIVERY_SHOWN
ALREADY_SHOWN = pb.SecretDelivery.SECRET_DELIVERY_ALREADY_SHOWN
TAKEN_OVER = pb.SecretDelivery.SECRET_DELIVERY_TAKEN_OVER
DAY = 24 * 3600


@pytest.fixture(scope="module")
def core() -> Iterator[RunningCore]:
    """A core whose clock moves."""
    with running_core(clock=True) as running:
        yield running


def creation(**fields: Any) -> pb.CreateClientRequest:
    given = {"request_id": request_id(), "client_id": f"c-{uuid.uuid4()}", "scopes": ["tokens.read"], **fields}
    return pb.CreateClientRequest(**given)


def rotation(name: str, lifetime: int | None = None, **fields: Any) -> pb.RotateClientSecretRequest:
    request = pb.RotateClientSecretRequest(request_id=request_id(), name=name, **fields)
    if lifetime is not None:
        request.old_secret_lifetime.CopyFrom(Duration(seconds=lifetime))
    return request


def updating(client: pb.Client, *paths: str) -> pb.UpdateClientRequest:
    request = pb.UpdateClientRequest(request_id=request_id(), client=client)
    request.update_mask.paths.extend(paths)
    return request


def get(core: RunningCore, name: str) -> pb.Client:
    return core.admin.clients.GetClient(pb.GetClientRequest(name=name)).client


def opens(core: RunningCore, client: pb.Client, secret: str) -> bool:
    return code_of(lambda: core.issue(client.client_id, secret)) == "OK"


def test_a_new_client_is_shown_with_its_secret_once(core: RunningCore) -> None:
    cursor = core.admin.head()
    request = creation(
        client_id=f"is_tbank01@{uuid.uuid4()}",
        display_name="T Bank",
        scopes=["tokens.read", "bindings.read"],
        merchant_gateway_ids=["g2", "g1"],
        merchant_ids=["m"],
        issuer_ids=["*"],
    )
    created = core.admin.clients.CreateClient(request)
    client = created.client
    assert client.name == f"clients/{request.client_id.replace('@', '%40')}"
    assert (client.client_id, client.display_name) == (request.client_id, "T Bank")
    assert list(client.scopes) == ["bindings.read", "tokens.read"]
    assert (list(client.merchant_gateway_ids), list(client.merchant_ids)) == (["g1", "g2"], ["m"])
    assert (list(client.issuer_ids), client.state) == (["*"], pb.ClientState.CLIENT_STATE_ACTIVE)
    (secret,) = client.secrets
    assert (secret.HasField("expire_time"), secret.taken_over) == (False, False)
    assert (created.secret_delivery, len(created.client_secret) >= 43) == (SHOWN, True)
    assert opens(core, client, created.client_secret)
    assert get(core, client.name) == client
    again = core.admin.clients.CreateClient(request)
    assert (again.client, again.client_secret, again.secret_delivery) == (client, "", ALREADY_SHOWN)
    (event,) = core.admin.events_after(cursor)
    assert (event.kind, event.resource, event.actor) == (
        events_pb2.EventKind.EVENT_KIND_CLIENT_CREATED,
        client.name,
        "clients/admin",
    )
    assert created.client_secret not in str(event)


def test_a_client_id_is_taken_once(core: RunningCore) -> None:
    request = creation()
    name = core.admin.clients.CreateClient(request).client.name
    with refused("ALREADY_EXISTS", "RESOURCE_EXISTS") as told:
        core.admin.clients.CreateClient(creation(client_id=request.client_id))
    assert told.metadata == {"resource": name}


def test_a_secret_is_taken_over(core: RunningCore) -> None:
    request = creation(taken_over_secret="16 characters ok")
    created = core.admin.clients.CreateClient(request)
    assert (created.client_secret, created.secret_delivery) == ("", TAKEN_OVER)
    assert created.client.secrets[0].taken_over
    assert opens(core, created.client, "16 characters ok")
    assert core.admin.clients.CreateClient(request).secret_delivery == TAKEN_OVER
    with refused("INVALID_ARGUMENT", "SECRET_TOO_WEAK"):
        core.admin.clients.CreateClient(creation(taken_over_secret="15 characters.."))
    weak = core.admin.clients.CreateClient(creation(taken_over_secret="123", allow_weak_secret=True))
    assert opens(core, weak.client, "123")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"client_id": ""}, "FIELD_INVALID"),
        ({"client_id": "with blank"}, "FIELD_INVALID"),
        ({"client_id": "-x"}, "FIELD_INVALID"),
        ({"scopes": []}, "FIELD_INVALID"),
        ({"scopes": ["tokens.read", "tokens.read"]}, "FIELD_INVALID"),
        ({"scopes": ["nonsense"]}, "SCOPE_INVALID"),
        ({"scopes": ["role.gateway"]}, "SCOPE_INVALID"),
        ({"client_id": "role.other"}, "SCOPE_INVALID"),
        ({"scopes": ["d1-notify"], "merchant_gateway_ids": ["*"]}, "BINDING_INVALID"),
        ({"merchant_ids": ["m"]}, "BINDING_INVALID"),
    ],
)
def test_a_client_that_cannot_be_is_refused(core: RunningCore, fields: dict[str, Any], reason: str) -> None:
    with refused("INVALID_ARGUMENT", reason):
        core.admin.clients.CreateClient(creation(**fields))


def test_what_is_in_the_mask_is_changed(core: RunningCore) -> None:
    client = core.create(["tokens.read"], ["g1"], ["m"]).client
    cursor = core.admin.head()
    wanted = pb.Client(name=client.name, display_name="New", scopes=["events.read"], merchant_gateway_ids=["g2"])
    changed = core.admin.clients.UpdateClient(updating(wanted, "display_name", "scopes")).client
    assert (changed.display_name, list(changed.scopes)) == ("New", ["events.read"])
    assert (list(changed.merchant_gateway_ids), list(changed.merchant_ids)) == (["g1"], ["m"])
    assert changed.etag != client.etag
    wanted.etag = client.etag
    with refused("FAILED_PRECONDITION", "ETAG_MISMATCH") as told:
        core.admin.clients.UpdateClient(updating(wanted, "merchant_gateway_ids"))
    assert told.metadata == {"resource": client.name}
    wanted.etag = changed.etag
    final = core.admin.clients.UpdateClient(updating(wanted, "merchant_gateway_ids", "merchant_ids")).client
    assert (list(final.merchant_gateway_ids), list(final.merchant_ids)) == (["g2"], [])
    wanted.etag = ""
    assert core.admin.clients.UpdateClient(updating(wanted, "merchant_gateway_ids")).client == final
    assert len(core.admin.events_after(cursor)) == 2


def test_an_update_that_cannot_be_is_refused(core: RunningCore) -> None:
    client = core.create(["tokens.read"], ["g1"]).client
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        core.admin.clients.UpdateClient(updating(pb.Client(name="clients/nobody"), "display_name"))
    for path in ("state", "secrets", "client_id", "*", "nonsense"):
        with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
            core.admin.clients.UpdateClient(updating(pb.Client(name=client.name), path))
    for scope in ("nonsense", "role.gateway"):
        with refused("INVALID_ARGUMENT", "SCOPE_INVALID"):
            core.admin.clients.UpdateClient(updating(pb.Client(name=client.name, scopes=[scope]), "scopes"))
    with refused("INVALID_ARGUMENT", "BINDING_INVALID"):
        wanted = pb.Client(name=client.name, scopes=["d1-notify"], merchant_gateway_ids=["*"])
        core.admin.clients.UpdateClient(updating(wanted, "scopes", "merchant_gateway_ids"))
    assert get(core, client.name) == client


def test_two_secrets_live_while_one_is_rotated(core: RunningCore) -> None:
    created = core.create(["tokens.read"])
    request = rotation(created.client.name)
    rotated = core.admin.clients.RotateClientSecret(request)
    assert rotated.secret_delivery == SHOWN
    assert rotated.client_secret != created.client_secret
    old, new = rotated.client.secrets
    assert (old.secret_id, old.HasField("expire_time")) == (created.client.secrets[0].secret_id, True)
    assert not new.HasField("expire_time")
    assert opens(core, created.client, created.client_secret)
    assert opens(core, created.client, rotated.client_secret)
    again = core.admin.clients.RotateClientSecret(request)
    assert (again.client_secret, again.secret_delivery, again.client) == ("", ALREADY_SHOWN, rotated.client)
    with refused("FAILED_PRECONDITION", "SECRETS_FULL") as told:
        core.admin.clients.RotateClientSecret(rotation(created.client.name))
    assert told.metadata == {"client": created.client.name}
    core.advance(DAY - 60)
    assert opens(core, created.client, created.client_secret)
    core.advance(120)
    assert not opens(core, created.client, created.client_secret)
    assert opens(core, created.client, rotated.client_secret)
    assert len(get(core, created.client.name).secrets) == 1
    assert len(core.admin.clients.RotateClientSecret(rotation(created.client.name)).client.secrets) == 2


def test_old_secrets_can_be_ended_at_once(core: RunningCore) -> None:
    created = core.create(["tokens.read"])
    second = core.admin.clients.RotateClientSecret(rotation(created.client.name))
    third = core.admin.clients.RotateClientSecret(rotation(created.client.name, 0))
    assert len(third.client.secrets) == 1
    live = [opens(core, created.client, each.client_secret) for each in (created, second, third)]
    assert live == [False, False, True]


def test_an_old_secret_lives_as_long_as_was_asked_for(core: RunningCore) -> None:
    created = core.create(["tokens.read"])
    core.admin.clients.RotateClientSecret(rotation(created.client.name, 100))
    core.advance(50)
    assert opens(core, created.client, created.client_secret)
    core.advance(60)
    assert not opens(core, created.client, created.client_secret)
    for seconds in (-1, 90 * DAY + 1):
        with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
            core.admin.clients.RotateClientSecret(rotation(created.client.name, seconds))


def test_an_access_token_outlives_the_secret_that_it_was_issued_for(core: RunningCore) -> None:
    created = core.create(["clients.read"], ["*"])
    session = core.session(created.client.client_id, created.client_secret)
    core.admin.clients.RotateClientSecret(rotation(created.client.name, 0))
    session.clients.ListClients(pb.ListClientsRequest(page_size=1))


def test_a_client_is_disabled_and_enabled(core: RunningCore) -> None:
    created = core.create(["tokens.read"])
    name, cursor = created.client.name, core.admin.head()
    disabled = core.admin.clients.DisableClient(pb.DisableClientRequest(request_id=request_id(), name=name)).client
    assert disabled.state == pb.ClientState.CLIENT_STATE_DISABLED
    assert not opens(core, created.client, created.client_secret)
    again = core.admin.clients.DisableClient(pb.DisableClientRequest(request_id=request_id(), name=name)).client
    assert again == disabled
    enabled = core.admin.clients.EnableClient(pb.EnableClientRequest(request_id=request_id(), name=name)).client
    assert enabled.state == pb.ClientState.CLIENT_STATE_ACTIVE
    assert opens(core, created.client, created.client_secret)
    assert len(core.admin.events_after(cursor)) == 2
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        core.admin.clients.DisableClient(pb.DisableClientRequest(request_id=request_id(), name="clients/nobody"))


@pytest.mark.parametrize("name", ["clients/admin", "clients/role.gateway", "clients/role.dispatcher"])
def test_the_houses_own_clients_are_protected(core: RunningCore, name: str) -> None:
    with refused("FAILED_PRECONDITION", "CLIENT_PROTECTED") as told:
        core.admin.clients.DisableClient(pb.DisableClientRequest(request_id=request_id(), name=name))
    assert told.metadata == {"client": name}
    with refused("FAILED_PRECONDITION", "CLIENT_PROTECTED"):
        core.admin.clients.UpdateClient(updating(pb.Client(name=name, scopes=["tokens.read"]), "scopes"))


def test_clients_are_listed_in_pages(core: RunningCore) -> None:
    names: list[str] = []
    request = pb.ListClientsRequest(page_size=5)
    while not names or request.page_token:
        answer = core.admin.clients.ListClients(request)
        names += [client.name for client in answer.clients]
        request.page_token = answer.next_page_token
    assert names == sorted(names)
    assert {"clients/admin", "clients/role.gateway"} <= set(names)
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND") as told:
        get(core, "clients/nobody")
    assert told.metadata == {"resource": "clients/nobody"}
