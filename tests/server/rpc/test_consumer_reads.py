"""What a gateway may read of consumers to answer D1: for whom, of which issuer, and as the issuer's account allows."""

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import pytest
from google.protobuf import json_format
from mintmark.v1 import accounts_pb2, clients_pb2
from mintmark.v1 import consumers_pb2 as pb

from tests.server.keys.test_public_keys import REFERENCE, THUMBPRINT
from tests.server.rpc.running import RunningCore, code_of, refused, request_id
from tests.server.rpc.test_consumers import move, person, register

_NUMBERS = count(1)
OAUTH = accounts_pb2.INBOUND_AUTHENTICATION_OAUTH
CERTIFICATE = accounts_pb2.INBOUND_AUTHENTICATION_CERTIFICATE
DIRECTORY = {
    "address": "cards.example.com:443",
    "public_key": {"public_key": str(REFERENCE).replace("'", '"'), "thumbprint": THUMBPRINT},
}


@pytest.fixture
def place() -> str:
    return f"READER{next(_NUMBERS):04}"


def account(core: RunningCore, place: str, by_certificate: bool = False, **d1_issuer: Any) -> str:
    """The name of the issuer's account, which is as stated."""
    stated = accounts_pb2.Account(
        account_id=f"d1-{place.lower()}",
        provider=accounts_pb2.ACCOUNT_PROVIDER_D1_ISSUER,
        issuer_id=place,
        inbound_authentication=CERTIFICATE if by_certificate else OAUTH,
        d1_issuer=json_format.ParseDict(d1_issuer, accounts_pb2.D1IssuerAccount()) if d1_issuer else None,
    )
    core.admin.accounts.ApplyAccounts(accounts_pb2.ApplyAccountsRequest(request_id=request_id(), accounts=[stated]))
    return f"partnerAccounts/{stated.account_id}"


def partner(core: RunningCore, place: str) -> str:
    return core.create(["d1-notify"], issuers=[place]).client.name


def reading(core: RunningCore, sender: str, place: str, consumer: str = "c-1") -> Callable[[], pb.ReadConsumerResponse]:
    request = pb.ReadConsumerRequest(sender=sender, issuer_id=place, consumer_id=consumer)
    return lambda: core.gateway.consumer_reads.ReadConsumer(request)


def test_a_consumer_is_told_to_whoever_may_speak_for_its_issuer(core: RunningCore, place: str) -> None:
    certified = account(core, place, by_certificate=True, tell_consumers=True)
    made = register(core.admin, place)
    for sender in (partner(core, place), core.create(["d1-notify"], issuers=["*"]).client.name, certified):
        assert reading(core, sender, place)() == pb.ReadConsumerResponse(consumer=made)
    assert made.personal_data == person()


@pytest.mark.parametrize("verb", ["Suspend", "Delete"])
def test_a_consumer_that_is_not_active_is_not_told(core: RunningCore, place: str, verb: str) -> None:
    account(core, place, tell_consumers=True)
    sender = partner(core, place)
    name = register(core.admin, place).name
    move(core.admin, verb, name)
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND") as told:
        reading(core, sender, place)()
    assert told.metadata == {"resource": name}
    if verb == "Suspend":
        move(core.admin, "Resume", name)
        assert reading(core, sender, place)().consumer.personal_data == person()


def test_what_is_not_there_is_not_found(core: RunningCore, place: str) -> None:
    account(core, place, tell_consumers=True)
    sender, anybody = partner(core, place), core.create(["d1-notify"], issuers=["*"]).client.name
    assert code_of(reading(core, sender, place, "nobody")) == "NOT_FOUND"
    assert code_of(reading(core, sender, place, "ü/\\ ..")) == "NOT_FOUND"
    assert code_of(reading(core, sender, "NOTOURS999")) == "NOT_FOUND"
    assert code_of(reading(core, anybody, "NOTOURS999")) == "NOT_FOUND", "speaking for any issuer makes none ours"


def test_an_account_that_does_not_say_so_allows_nothing(core: RunningCore, place: str) -> None:
    sender = partner(core, place)
    register(core.admin, place)
    with refused("PERMISSION_DENIED", "ISSUER_CALL_NOT_ALLOWED") as told:
        reading(core, sender, place)()
    assert told.metadata == {"account": "", "setting": "d1_issuer"}
    name = account(core, place)
    with refused("PERMISSION_DENIED", "ISSUER_CALL_NOT_ALLOWED") as told:
        reading(core, sender, place)()
    assert told.metadata == {"account": name, "setting": "d1_issuer"}
    account(core, place, tell_consumers=False, security_code_attempts=3)
    with refused("PERMISSION_DENIED", "ISSUER_CALL_NOT_ALLOWED") as told:
        reading(core, sender, place)()
    assert told.metadata == {"account": name, "setting": "tell_consumers"}
    account(core, place, tell_consumers=True)
    assert reading(core, sender, place)().consumer.consumer_id == "c-1"


def test_who_may_not_speak_for_the_issuer_is_told_nothing(core: RunningCore, place: str) -> None:
    name = account(core, place, tell_consumers=True)
    register(core.admin, place)
    other = f"OTHER{next(_NUMBERS):05}"
    foreign_account = account(core, other, by_certificate=True, tell_consumers=True)
    disabled = partner(core, place)
    core.admin.clients.DisableClient(clients_pb2.DisableClientRequest(request_id=request_id(), name=disabled))
    senders = [
        partner(core, other),
        core.partner("MGW_999999"),
        core.create(["consumers.read"], issuers=[place]).client.name,
        disabled,
        foreign_account,
        name,  # It has no certificate: its own client is to call.
        "clients/nobody",
    ]
    for sender in senders:
        with refused("PERMISSION_DENIED", "ISSUER_CALL_NOT_ALLOWED") as told:
            reading(core, sender, place)()
        assert told.metadata == {"account": name, "setting": "sender"}


def test_where_the_issuers_own_system_answers_it_is_to_be_asked(core: RunningCore, place: str) -> None:
    account(core, place, tell_consumers=True, directory=DIRECTORY)
    register(core.admin, place)
    sender = partner(core, place)
    assert reading(core, sender, place)() == pb.ReadConsumerResponse(directory=True)
    account(core, place, directory=DIRECTORY)
    assert code_of(reading(core, sender, place)) == "PERMISSION_DENIED"


def test_nobody_but_a_gateway_reads_for_d1(core: RunningCore, place: str) -> None:
    account(core, place, tell_consumers=True)
    register(core.admin, place)
    request = pb.ReadConsumerRequest(sender=partner(core, place), issuer_id=place, consumer_id="c-1")
    codes = [
        code_of(partial(session.consumer_reads.ReadConsumer, request))
        for session in (core.admin, core.dispatcher, core.anonymous)
    ]
    assert codes == ["UNIMPLEMENTED", "PERMISSION_DENIED", "UNIMPLEMENTED"]
