"""Every public RPC has its place in REST, and the table of routes says nothing that the protos don't."""

import re

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from mintmark.v1 import errors_pb2, options_pb2

from adapters.inbound.rest import reasons
from adapters.inbound.rest.description.openapi import document
from adapters.inbound.rest.description.reason_table import documented
from adapters.inbound.rest.routes import TABLE, RestRoute
from adapters.inbound.rest.schema import AS_TEXT, descriptor, is_map, is_message, message_of, named, rpc, services
from adapters.inbound.rest.statuses import STATUSES
from adapters.inbound.rest.templates import Template
from adapters.inbound.rest.transcoding import WITH_BODY
from adapters.inbound.rest.values import SUPPORTED
from server.rpc.refusals import TOLD_AS

PUBLIC = {
    f"{service.name}.{method.name}": method
    for service in services().values()
    for method in service.methods
    if not method.GetOptions().Extensions[options_pb2.policy].internal
}
READING = re.compile(r"(Get|List|Stream)[A-Z]")


def test_every_public_rpc_has_exactly_one_route() -> None:
    assert sorted(route.rpc for route in TABLE) == sorted(PUBLIC)


@pytest.mark.parametrize("route", TABLE, ids=lambda route: route.rpc)
def test_a_route_fits_its_rpc(route: RestRoute) -> None:
    call = rpc(route.rpc)
    for path in route.paths:
        template = Template.of(path)
        *through, last = template.field.split(".") if template.field else [""]
        within = descriptor(call.request)
        for name in through:
            within = message_of(within.fields_by_name[name])
        if template.field:
            assert within.fields_by_name[last].type == FieldDescriptor.TYPE_STRING
            assert last in ("name", "parent")
        assert template.segments[0] == "v1"
    assert Template.of(route.path).field or not route.also
    # What reads can be fetched, and what writes cannot.
    assert (route.method == "GET") == bool(READING.match(route.rpc.partition(".")[2]))
    assert route.status == (201 if route.rpc.partition(".")[2].startswith("Create") else 200)


@pytest.mark.parametrize("route", TABLE, ids=lambda route: route.rpc)
def test_rest_can_say_everything_that_a_request_holds(route: RestRoute) -> None:
    def check(message: Descriptor, *, query: bool) -> None:
        for field in message.fields:
            assert field.type in SUPPORTED, field.full_name
            if is_message(field) and named(field) not in AS_TEXT:
                assert not query or not (field.is_repeated or is_map(field)), field.full_name
                check(message_of(field), query=query)

    check(descriptor(rpc(route.rpc).request), query=route.method not in WITH_BODY)


def test_every_code_of_a_refusal_has_a_status() -> None:
    assert {code for _, code in TOLD_AS.values()} <= set(STATUSES)


def test_http_has_no_reason_that_the_core_has_too() -> None:
    ours = [reason.name for reason in reasons.ALL]
    core = {name.removeprefix("ERROR_REASON_") for name in errors_pb2.ErrorReason.keys()}  # noqa: SIM118
    assert len(ours) == len(set(ours))
    assert not set(ours) & core
    assert {each.name for each in documented()} == {*ours, *core} - {"UNSPECIFIED"}


def test_the_document_describes_every_route_in_the_words_of_the_protos() -> None:
    described = document("http://localhost/oauth2/token")
    operations = [each for place in described["paths"].values() for each in place.values()]
    assert {name for each in operations for name in each["x-rpc"].split(", ")} == set(PUBLIC)
    assert all(each["description"] and each["summary"] for each in operations)
    schemas = described["components"]["schemas"].values()
    assert all(schema["description"] for schema in schemas)
    silent = [name for schema in schemas for name, each in schema.get("properties", {}).items() if len(each) == 0]
    assert not silent
