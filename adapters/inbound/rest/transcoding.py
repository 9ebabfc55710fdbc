"""From a REST call to the RPC's request message: path, query, body and headers."""

from typing import Any

from google.protobuf.message import Message

from adapters.inbound.request import Request
from adapters.inbound.rest import bodies, headers, parameters
from adapters.inbound.rest.schema import Rpc, descriptor, find_field, is_message, message_of
from adapters.inbound.rest.templates import Template
from adapters.inbound.rest.violations import Violations

WITH_BODY = ("POST", "PATCH")
# Never part of a mask that is made of what the body holds.
UNMASKED = frozenset({"name", "etag"})


def message(rpc: Rpc, template: Template, request: Request, document: dict[str, Any] | None) -> Message:
    """The request message. `document` is the body's object where the method has a body.

    Raises FieldsInvalid with everything that is wrong, and Troubled for a header that cannot be read.
    """
    made = rpc.request()
    violations = Violations()
    if document is not None:
        bodies.read(made, document, violations)
    given = parameters.parse(request.query, violations)
    asked = rpc.request()
    parameters.read(asked, given, violations, None if document is None else ({rpc.mask} - {""}))
    if rpc.mask and asked.HasField(rpc.mask) and made.HasField(rpc.mask):
        violations.add(rpc.mask, "the body has one too", bodies.TWICE)
    made.MergeFrom(asked)
    if rpc.mask and document is not None and not made.HasField(rpc.mask):
        _mask(rpc, made, document)
    if template.field:
        _name(made, template, request.raw_path, violations)
    headers.read(request, rpc, made, violations)
    violations.check()
    return made


def _name(made: Any, template: Template, raw_path: bytes, violations: Violations) -> None:
    """Puts the path's resource name into its field; a body may say the same, but nothing else."""
    *through, last = template.field.split(".")
    for field in through:
        made = getattr(made, field)
    try:
        name = template.name(raw_path)
    except ValueError as wrong:
        violations.add(template.field, str(wrong), bodies.TYPE)
        return
    if getattr(made, last) not in ("", name):
        violations.add(template.field, "the path says something else", bodies.TWICE)
    setattr(made, last, name)


def _mask(rpc: Rpc, made: Any, document: dict[str, Any]) -> None:
    """The fields that the body's resource names, null included: that clears one."""
    described = descriptor(made)
    for key, value in document.items():
        field = find_field(described, key)
        if field is None or not is_message(field) or field.name == rpc.mask or not isinstance(value, dict):
            continue
        named = {find_field(message_of(field), each) for each in value}
        paths = {each.name for each in named if each is not None} - UNMASKED
        getattr(made, rpc.mask).paths.extend(sorted(paths))
