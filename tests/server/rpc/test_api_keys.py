"""ApiKeysService."""

from typing import Any

import pytest
from mintmark.v1 import api_keys_pb2 as pb
from mintmark.v1 import clients_pb2, events_pb2

from tests.server.rpc.running import RunningCore, refused, request_id

DELIVERY = clients_pb2.SecretDelivery


def creation(place: str, **fields: Any) -> pb.CreateApiKeyRequest:
    given = {"request_id": request_id(), "api_key_id": f"key-{place}", "merchant_gateway_id": place, **fields}
    return pb.CreateApiKeyRequest(**given)


def test_a_new_key_is_shown_once(core: RunningCore, place: str) -> None:
    cursor, request = core.admin.head(), creation(place, merchant_ids=["m-2", "m-1"])
    created = core.admin.api_keys.CreateApiKey(request)
    key = created.api_key
    assert (key.name, key.api_key_id) == (f"apiKeys/key-{place}", f"key-{place}")
    assert (key.merchant_gateway_id, sorted(key.merchant_ids)) == (place, ["m-1", "m-2"])
    assert (key.state, key.taken_over) == (pb.ApiKeyState.API_KEY_STATE_ACTIVE, False)
    assert not key.HasField("revoke_time")
    assert (created.secret_delivery, len(created.key) >= 43) == (DELIVERY.SECRET_DELIVERY_SHOWN, True)
    assert core.admin.api_keys.GetApiKey(pb.GetApiKeyRequest(name=key.name)).api_key == key
    again = core.admin.api_keys.CreateApiKey(request)
    assert (again.api_key, again.key) == (key, "")
    assert again.secret_delivery == DELIVERY.SECRET_DELIVERY_ALREADY_SHOWN
    (event,) = core.admin.events_after(cursor)
    assert (event.kind, event.resource) == (events_pb2.EventKind.EVENT_KIND_API_KEY_CREATED, key.name)
    assert created.key not in str(event)


def test_a_name_and_a_key_are_taken_once(core: RunningCore, place: str) -> None:
    taken = f"c03f88fe-01ba-11e8-ba89-{place}"
    core.admin.api_keys.CreateApiKey(creation(place, taken_over_key=taken))
    with refused("ALREADY_EXISTS", "RESOURCE_EXISTS") as told:
        core.admin.api_keys.CreateApiKey(creation(place))
    assert told.metadata == {"resource": f"apiKeys/key-{place}"}
    with refused("ALREADY_EXISTS", "SECRET_IN_USE"):
        core.admin.api_keys.CreateApiKey(creation(place, api_key_id=f"other-{place}", taken_over_key=taken))


def test_a_key_that_was_made_here_cannot_be_taken_over_under_another_name(core: RunningCore, place: str) -> None:
    made = core.admin.api_keys.CreateApiKey(creation(place)).key
    with refused("ALREADY_EXISTS", "SECRET_IN_USE"):
        core.admin.api_keys.CreateApiKey(creation(place, api_key_id=f"other-{place}", taken_over_key=made))


def test_a_key_is_taken_over(core: RunningCore, place: str) -> None:
    created = core.admin.api_keys.CreateApiKey(creation(place, taken_over_key=f"sixteen or more {place}"))
    assert (created.key, created.api_key.taken_over) == ("", True)
    assert created.secret_delivery == DELIVERY.SECRET_DELIVERY_TAKEN_OVER
    with refused("INVALID_ARGUMENT", "SECRET_TOO_WEAK"):
        core.admin.api_keys.CreateApiKey(creation(place, api_key_id=f"weak-{place}", taken_over_key=f"w {place[-6:]}"))
    weak = creation(place, api_key_id=f"weak-{place}", taken_over_key=f"w {place[-6:]}", allow_weak_key=True)
    assert core.admin.api_keys.CreateApiKey(weak).api_key.taken_over


def test_a_key_is_revoked_for_ever(core: RunningCore, place: str) -> None:
    name = core.api_key(place)
    cursor = core.admin.head()
    revoked = core.admin.api_keys.RevokeApiKey(pb.RevokeApiKeyRequest(name=name)).api_key
    assert revoked.state == pb.ApiKeyState.API_KEY_STATE_REVOKED
    assert revoked.HasField("revoke_time")
    assert core.admin.api_keys.RevokeApiKey(pb.RevokeApiKeyRequest(name=name)).api_key == revoked
    assert len(core.admin.events_after(cursor)) == 1
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        core.admin.api_keys.RevokeApiKey(pb.RevokeApiKeyRequest(name="apiKeys/nobody"))
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        core.admin.api_keys.GetApiKey(pb.GetApiKeyRequest(name="apiKeys/nobody"))


def test_keys_are_listed_in_pages(core: RunningCore, place: str) -> None:
    made = {core.api_key(place) for _ in range(3)}
    names: list[str] = []
    request = pb.ListApiKeysRequest(page_size=2)
    while not names or request.page_token:
        answer = core.admin.api_keys.ListApiKeys(request)
        names += [key.name for key in answer.api_keys]
        request.page_token = answer.next_page_token
    assert made <= set(names)
    assert names == sorted(names)


@pytest.mark.parametrize(
    "fields",
    [
        {"api_key_id": ""},
        {"api_key_id": "a/b"},
        {"merchant_gateway_id": ""},
        {"merchant_gateway_id": "*"},
        {"merchant_ids": ["m", "m"]},
        {"merchant_ids": [""]},
    ],
)
def test_a_key_that_cannot_be_is_refused(core: RunningCore, place: str, fields: dict[str, Any]) -> None:
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        core.admin.api_keys.CreateApiKey(creation(place, **fields))
