"""client.consumers, against a real core."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from mintmark.v1 import consumers_pb2 as pb

from mintmark_client import AlreadyExists, Client, InvalidRequest, NotFound, PreconditionFailed
from tests.house.tree import ROOT
from tests.server.rpc.running import RunningCore, request_id, running_core

ISSUER = "ISSUER0001"
ADDRESS = pb.PostalAddress(city="Porto", country_code="PT")
ANA = pb.PersonalData(first_name="Ana", email="ana@example.pt")


@pytest.fixture(scope="module")
def core() -> Iterator[RunningCore]:
    with running_core() as running:
        yield running


def test_consumers_from_their_registration_to_their_end(core: RunningCore) -> None:
    created = core.create(["consumers.read", "consumers.write"], issuers=[ISSUER])
    client_id, secret = created.client.client_id, created.client_secret
    with Client(core.settings.grpc_address, client_id=client_id, client_secret=secret) as client:
        consumers = client.consumers
        own = request_id()
        made = consumers.register(ISSUER, "c-1", ANA, request_id=own)
        assert made.personal_data == ANA
        again = consumers.register(ISSUER, "c-1", ANA, request_id=own)
        assert (again.name, again.HasField("personal_data")) == (made.name, False)
        assert consumers.get(made.name) == made
        other = pb.PersonalData(first_name="Inês")
        assert consumers.replace(made.name, other).personal_data == other
        for number in range(2, 5):
            consumers.register(ISSUER, f"c-{number}")
        listed = list(consumers.list(issuer_id=ISSUER, page_size=2))
        assert [each.consumer_id for each in listed] == ["c-1", "c-2", "c-3", "c-4"]
        assert not any(each.HasField("personal_data") for each in listed)
        assert consumers.suspend(made.name).state == pb.CONSUMER_STATE_SUSPENDED
        assert [each.name for each in consumers.list(states=[pb.CONSUMER_STATE_SUSPENDED])] == [made.name]
        assert consumers.resume(made.name).state == pb.CONSUMER_STATE_ACTIVE
        assert consumers.delete(made.name).state == pb.CONSUMER_STATE_DELETED
        with pytest.raises(PreconditionFailed) as unfit:
            consumers.suspend(made.name)
        assert unfit.value.reason == "CONSUMER_STATE_UNFIT"
        with pytest.raises(AlreadyExists):
            consumers.register(ISSUER, "c-2")
        with pytest.raises(InvalidRequest) as invalid:
            consumers.register(ISSUER, "c-5", pb.PersonalData(date_of_birth="1990-02-30"))
        assert [each.field for each in invalid.value.violations] == ["personal_data.date_of_birth"]
        with pytest.raises(NotFound):
            consumers.register("OTHER00001", "c-1")


def test_the_readmes_example_moves_a_person(core: RunningCore) -> None:
    section = (ROOT / "README.md").read_text().partition("\n## Issuers' consumers\n")[2].partition("\n## ")[0]
    (example,) = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    defined: dict[str, Any] = {}
    exec(example, defined)  # noqa: S102  the README's own words
    created = core.create(["consumers.read", "consumers.write"], issuers=[ISSUER])
    client_id, secret = created.client.client_id, created.client_secret
    with Client(core.settings.grpc_address, client_id=client_id, client_secret=secret) as client:
        made = client.consumers.register(ISSUER, "moving", ANA)
        defined["moved"](client, made.name, ADDRESS)
        now = client.consumers.get(made.name).personal_data
    assert (now.first_name, now.email, now.residency_address) == ("Ana", "ana@example.pt", ADDRESS)
