"""An issuer operation is found by REST under each of the forms that its name has."""

import pytest
from mintmark.v1 import issuer_operations_pb2 as pb

from adapters.inbound.rest.routes import TABLE
from adapters.inbound.rest.templates import Template, Tree
from tests.adapters.inbound.rest.asking import asked

GET, LIST = "IssuerOperationsService.GetIssuerOperation", "IssuerOperationsService.ListIssuerOperations"
FORMS = (
    "issuers/i_1/cards/c-1/operations/o",
    "issuers/i_1/digitalCards/d-1/operations/o",
    "issuers/i_1/cards/c-1/threeDSecureOperations/o",
    "issuers/i_1/consumers/c-1/operations/o",
    "issuers/i_1/cards/c-1/authorisations/a~PURCHASE~2026-11-25T03%3A00%3A00",
)


def routed() -> Tree[str]:
    """The whole table, as the gateway has it."""
    tree: Tree[str] = Tree()
    for route in TABLE:
        for path in route.paths:
            if route.method == "GET" and not route.rpc.endswith(".StreamEvents"):
                tree.add(Template.of(path), route.rpc)
    return tree


@pytest.mark.parametrize("name", FORMS)
def test_each_form_of_a_name_is_a_path(name: str) -> None:
    assert routed().find(f"/v1/{name}".encode()) == GET
    assert asked(GET, f"/v1/{name}") == pb.GetIssuerOperationRequest(name=name)


@pytest.mark.parametrize(
    "name", ["issuers/i/accounts/a", "issuers/i/consumers/c/authorisations/a", "issuers/i/operations/o"]
)
def test_nothing_else_below_an_issuer_is_a_path(name: str) -> None:
    assert routed().find(f"/v1/{name}".encode()) is None


def test_the_list_takes_every_filter() -> None:
    assert routed().find(b"/v1/issuerOperations") == LIST
    query = "issuerId=i&kinds=CARD&kinds=AUTHORISATION&states=PENDING&cardId=c&digitalCardId=d&operationId=o&pageSize=3"
    assert asked(LIST, "/v1/issuerOperations", query) == pb.ListIssuerOperationsRequest(
        issuer_id="i",
        kinds=[pb.ISSUER_OPERATION_KIND_CARD, pb.ISSUER_OPERATION_KIND_AUTHORISATION],
        states=[pb.ISSUER_OPERATION_STATE_PENDING],
        card_id="c",
        digital_card_id="d",
        operation_id="o",
        page_size=3,
    )
