"""client.issuer_operations, against a core that answers from a list."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from mintmark.v1 import issuer_operations_pb2 as pb

from mintmark_client import Client, NotFound
from tests.house.tree import ROOT
from tests.mintmark_client.fake_core import UnsteadyCore

NAMES = [f"issuers/ISSUER_001/cards/card-1/operations/o-{number}" for number in range(5)]


@pytest.fixture
def told(unsteady: UnsteadyCore) -> Iterator[Client]:
    """A client of a core that knows five operations, of which it shows two a page."""
    unsteady.issuer_operations = [pb.IssuerOperation(name=name, operation="DIGITIZE") for name in NAMES]
    with Client(unsteady.address, client_id="c", client_secret=unsteady.secret) as client:
        yield client


def test_operations_of_all_pages_are_listed_as_they_are_asked_for(told: Client, unsteady: UnsteadyCore) -> None:
    listed = told.issuer_operations.list(
        issuer_id="ISSUER_001", states=[pb.ISSUER_OPERATION_STATE_FAILED], card_id="card-1"
    )
    assert next(listed).name == NAMES[0]
    assert len(unsteady.requests) == 1
    assert [each.name for each in listed] == NAMES[1:]
    assert [each.page_token for each in unsteady.requests] == ["", "2", "4"]
    assert {(each.issuer_id, each.card_id, *each.states) for each in unsteady.requests} == {
        ("ISSUER_001", "card-1", pb.ISSUER_OPERATION_STATE_FAILED)
    }


def test_one_is_read_and_one_that_is_not_there_is_refused(told: Client, unsteady: UnsteadyCore) -> None:
    assert told.issuer_operations.get(NAMES[3]) == unsteady.issuer_operations[3]
    with pytest.raises(NotFound) as caught:
        told.issuer_operations.get(f"{NAMES[0]}0")
    assert caught.value.metadata == {"resource": f"{NAMES[0]}0"}


def test_the_readmes_example_tells_what_failed(told: Client, unsteady: UnsteadyCore) -> None:
    section = (ROOT / "README.md").read_text().partition("\n## Card issuers (D1)\n")[2].partition("\n## ")[0]
    (example,) = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    defined: dict[str, Any] = {}
    exec(example, defined)  # noqa: S102  the README's own words
    del unsteady.issuer_operations[2:]
    unsteady.issuer_operations[0].error_code = "E17"
    unsteady.issuer_operations[1].error = "no plastic"
    assert defined["failed"](told, "ISSUER_001") == {NAMES[0]: "E17", NAMES[1]: "no plastic"}
    (request,) = unsteady.requests
    assert (request.issuer_id, list(request.states)) == ("ISSUER_001", [pb.ISSUER_OPERATION_STATE_FAILED])
