"""What the protos say about an RPC, as far as REST follows from it."""

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from typing import cast

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from mintmark.v1 import options_pb2

PACKAGE = "mintmark.v1"
TIMESTAMP, DURATION, FIELD_MASK = (f"google.protobuf.{name}" for name in ("Timestamp", "Duration", "FieldMask"))
# Messages that are text in JSON.
AS_TEXT = frozenset({TIMESTAMP, DURATION, FIELD_MASK})


@dataclass(frozen=True, slots=True)
class Rpc:
    """An RPC: its descriptor, its messages, and the fields that headers stand for (empty where there is none)."""

    descriptor: MethodDescriptor
    request: type[Message]
    response: type[Message]
    # The scope that it needs; empty for any client, or, with `anonymous`, for anybody.
    scope: str
    anonymous: bool
    # Whether it may wait for something to happen.
    waiting: bool
    # The request's field for the key that makes it safe to repeat, for the expected etag (dotted), and the mask.
    request_id: str
    etag: str
    mask: str
    # The response's field that holds the one resource of the answer, and whether that has an etag.
    resource: str
    resource_etag: bool

    @property
    def path(self) -> str:
        """The method as gRPC writes it."""
        return f"/{self.descriptor.containing_service.full_name}/{self.descriptor.name}"


@cache
def services() -> dict[str, ServiceDescriptor]:
    """Every service of the protos by its name."""
    package = importlib.import_module(PACKAGE)
    found: dict[str, ServiceDescriptor] = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.endswith("_pb2"):
            found |= importlib.import_module(f"{PACKAGE}.{module.name}").DESCRIPTOR.services_by_name
    return found


def rpc(name: str) -> Rpc:
    """The RPC of a name such as `TokensService.GetToken`. Raises LookupError where there is none."""
    service, _, method_name = name.partition(".")
    method = services()[service].methods_by_name[method_name]
    policy = method.GetOptions().Extensions[options_pb2.policy]
    asked = method.input_type
    masks = [field.name for field in asked.fields if named(field) == FIELD_MASK]
    single = [field for field in method.output_type.fields if is_message(field) and not field.is_repeated]
    resources = [field for field in single if named(field) not in AS_TEXT]
    resource = resources[0] if len(resources) == 1 else None
    return Rpc(
        descriptor=method,
        request=message_factory.GetMessageClass(asked),
        response=message_factory.GetMessageClass(method.output_type),
        scope=policy.scope,
        anonymous=policy.anonymous,
        waiting=policy.waiting,
        request_id="request_id" if "request_id" in asked.fields_by_name else "",
        etag=_etag(asked, bool(masks)),
        mask=masks[0] if masks else "",
        resource=resource.name if resource else "",
        resource_etag=bool(resource and "etag" in message_of(resource).fields_by_name),
    )


def _etag(asked: Descriptor, updates: bool) -> str:
    """The request's own etag, or the one in the resource that an update brings."""
    if "etag" in asked.fields_by_name:
        return "etag"
    for field in asked.fields if updates else ():
        if is_message(field) and not field.is_repeated and "etag" in message_of(field).fields_by_name:
            return f"{field.name}.etag"
    return ""


def descriptor(message: Message | type[Message]) -> Descriptor:
    """The descriptor of a message."""
    return cast("Descriptor", message.DESCRIPTOR)


def message_of(field: FieldDescriptor) -> Descriptor:
    """The descriptor of the message that a field holds. Raises TypeError where it holds none."""
    if field.message_type is None:
        raise TypeError(field.full_name)
    return field.message_type


def enum_of(field: FieldDescriptor) -> EnumDescriptor:
    """The same for an enum."""
    if field.enum_type is None:
        raise TypeError(field.full_name)
    return field.enum_type


def is_message(field: FieldDescriptor) -> bool:
    return field.type == FieldDescriptor.TYPE_MESSAGE


def is_map(field: FieldDescriptor) -> bool:
    return is_message(field) and bool(message_of(field).GetOptions().map_entry)


def named(field: FieldDescriptor) -> str:
    """The full name of a field's message; empty where it holds none."""
    return message_of(field).full_name if is_message(field) else ""


def find_field(message: Descriptor, name: str) -> FieldDescriptor | None:
    """The field of a name, as JSON or as the proto writes it."""
    return message.fields_by_camelcase_name.get(name) or message.fields_by_name.get(name)


def enum_prefix(field: FieldDescriptor) -> str:
    """What the names of an enum's values begin with, such as `TOKEN_STATE_`."""
    first: str = enum_of(field).values[0].name
    return first.removesuffix("UNSPECIFIED")
