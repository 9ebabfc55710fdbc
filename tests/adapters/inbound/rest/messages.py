"""Any request message of the protos, for hypothesis."""

from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

from adapters.inbound.rest.schema import DURATION, FIELD_MASK, TIMESTAMP, descriptor, is_message, message_of, named, rpc
from adapters.inbound.rest.templates import ANY, Template
from server.domain import names
from tests.rest import ROUTES

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
# What is a name in a path has a segment where the template has a star.
IDS = TEXTS.filter(bool).map(names.segment)
UUIDS = st.uuids().map(str)


def requests(name: str) -> st.SearchStrategy[Message]:
    """Request messages of an RPC, each with a name that fits one of its paths."""
    call = rpc(name)

    @st.composite
    def made(draw: st.DrawFn) -> Message:
        request = draw(messages(call.request))
        template = draw(st.sampled_from([Template.of(path) for path in ROUTES[name].paths]))
        if template.field:
            within: Any = request
            *through, last = template.field.split(".")
            for each in through:
                within = getattr(within, each)
            pattern = "/".join(draw(IDS) if part == ANY else part for part in template.pattern.split("/"))
            setattr(within, last, pattern)
        elif "parent" in descriptor(request).fields_by_name:
            request.ClearField("parent")
        if call.request_id:
            setattr(request, call.request_id, draw(UUIDS))
        if call.mask:
            getattr(request, call.mask).SetInParent()
        if ROUTES[name].method == "GET":
            # A query cannot say that a message is there and holds nothing.
            for field in descriptor(request).fields:
                if is_message(field) and getattr(request, field.name) == message_class(field)():
                    request.ClearField(field.name)
        return request

    return made()


def messages(kind: type[Message]) -> st.SearchStrategy[Message]:
    """Messages of any content."""

    @st.composite
    def made(draw: st.DrawFn) -> Message:
        message: Any = kind()
        for field in descriptor(kind).fields:
            if draw(st.booleans()):
                _fill(draw, message, field)
        return message  # type: ignore[no-any-return]

    return made()


def message_class(field: FieldDescriptor) -> type[Message]:
    return message_factory.GetMessageClass(message_of(field))


def _fill(draw: st.DrawFn, message: Any, field: FieldDescriptor) -> None:
    held = getattr(message, field.name)
    if field.name == "etag":
        setattr(message, field.name, draw(st.text("0123456789abc", max_size=8)))
    elif is_message(field) and field.is_repeated:
        for _ in range(draw(st.integers(0, 2))):
            held.add().CopyFrom(draw(messages(message_class(field))))
    elif named(field) == TIMESTAMP:
        held.FromNanoseconds(draw(st.integers(-(10**18), 10**18)))
    elif named(field) == DURATION:
        held.FromNanoseconds(draw(st.integers(0, 10**15)))
    elif named(field) == FIELD_MASK:
        held.paths.extend(draw(st.lists(st.sampled_from(["display_name", "scopes", "issuer_ids"]), min_size=1)))
    elif is_message(field):
        held.CopyFrom(draw(messages(message_class(field))))
    elif field.is_repeated:
        held.extend(draw(st.lists(_scalars(field), max_size=3)))
    else:
        setattr(message, field.name, draw(_scalars(field)))


def _scalars(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return TEXTS
        case FieldDescriptor.TYPE_BOOL:
            return st.booleans()
        case FieldDescriptor.TYPE_ENUM:
            assert field.enum_type is not None
            return st.sampled_from([value.number for value in field.enum_type.values])
        case FieldDescriptor.TYPE_BYTES:
            return st.binary(max_size=8)
        case FieldDescriptor.TYPE_INT32:
            return st.integers(-(2**31), 2**31 - 1)
        case _:
            return st.integers(-(2**63), 2**63 - 1)
