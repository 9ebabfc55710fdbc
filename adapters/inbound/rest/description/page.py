"""The readable page of the API: the OpenAPI document through a template, with nothing from anywhere else."""

import base64
import hashlib
import importlib.resources
import re
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from adapters.inbound.rest.description.reason_table import documented

_HERE = "adapters.inbound.rest.description"
METHODS = ("get", "post", "put", "patch", "delete")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")
_CODE = re.compile(r"`([^`]+)`")
# What the operation of a further path ends with.
_FURTHER = re.compile(r"_all$|_of_.*")


def _file(name: str) -> str:
    return importlib.resources.files(_HERE).joinpath(name).read_text("utf-8")


STYLE_FILE, TEMPLATE_FILE = "page.css", "page.html"


def _style() -> str:
    return _file(STYLE_FILE)


def policy() -> str:
    """The Content-Security-Policy: our own style by its digest, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def prose(text: str) -> Markup:
    """Text with `code` and **bold** as HTML; everything else in it is text."""
    shown = _CODE.sub(r"<code>\1</code>", str(escape(text)))
    return Markup(_BOLD.sub(r"<strong>\1</strong>", shown))  # noqa: S704  escaped above


def html(document: dict[str, Any]) -> str:
    """The page."""
    environment = Environment(
        loader=FunctionLoader(_file), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["prose"] = prose
    environment.filters["kind"] = kind
    template = environment.get_template(TEMPLATE_FILE)
    return template.render(
        document=document,
        style=Markup(_style()),  # noqa: S704  our own file
        groups=groups(document),
        reasons=documented(),
        told={each.status for each in documented()},
    )


def groups(document: dict[str, Any]) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """The tags with their operations; further paths of an RPC are named with its main one."""
    operations = [
        {**operation, "method": method.upper(), "path": path}
        for path, place in document["paths"].items()
        for method, operation in place.items()
        if method in METHODS
    ]
    main = {
        each["operationId"]: {**each, "also": []} for each in operations if not _FURTHER.search(each["operationId"])
    }
    for each in operations:
        name = _FURTHER.sub("", each["operationId"])
        if name != each["operationId"]:
            main[name]["also"].append(each["path"])
    return [(tag, [each for each in main.values() if each["tags"] == [tag["name"]]]) for tag in document["tags"]]


def kind(schema: dict[str, Any]) -> Markup:
    """A schema in a few words; what it refers to is linked."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#schema-{0}">{0}</a>').format(name)
    if schema.get("type") == "array":
        return Markup("list of {}").format(kind(schema["items"]))
    if isinstance(schema.get("additionalProperties"), dict):
        return Markup("map of {}").format(kind(schema["additionalProperties"]))
    words = [schema.get("format") or schema.get("type", "any")]
    for keyword, text in (
        ("minLength", "{} characters or more"),
        ("maxLength", "{} characters at most"),
        ("minimum", "from {}"),
        ("maximum", "to {}"),
    ):
        if keyword in schema:
            words.append(text.format(schema[keyword]).replace("1 characters", "1 character"))
    return escape(", ".join(words))
