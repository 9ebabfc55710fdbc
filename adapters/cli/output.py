"""What the command prints: tables for people, one JSON object per line for programs."""

import enum
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from rich.console import Console

# Wide enough that nothing is cut when a program reads the table.
PLAIN_WIDTH = 400


class Form(enum.StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"


Output = Annotated[
    Form | None, typer.Option("--output", "-o", help="table for people, json for programs: one object per line.")
]
Limit = Annotated[int, typer.Option("--limit", min=0, help="Stop after this many; 0 shows all.")]

# A column: its title, and what it shows of a resource.
Column = tuple[str, Callable[[Any], str]]

_chosen = Form.TABLE


def choose(form: Form | None) -> None:
    """What `--output` before the subcommand says."""
    global _chosen  # noqa: PLW0603  one command, one process, one choice
    _chosen = form or Form.TABLE


def form_of(option: Form | None) -> Form:
    """What counts: `--output` after the subcommand, else before it, else tables."""
    return option or _chosen


def console(*, stderr: bool = False) -> "Console":
    """A console that never cuts or wraps what a program or the clipboard is to have whole."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = PLAIN_WIDTH
    return made


def line(text: str) -> None:
    """One line on stdout, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """One line on stderr: not part of the result."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def json_text(message: "Message") -> str:
    """The canonical protobuf JSON of a message, on one line."""
    from google.protobuf import json_format

    return json_format.MessageToJson(message, indent=None, ensure_ascii=False)


def json_object(message: "Message") -> dict[str, Any]:
    """The same as a dict."""
    from google.protobuf import json_format

    return json_format.MessageToDict(message)


def json_line(document: Mapping[str, Any]) -> None:
    """One JSON object on one line of stdout."""
    line(json.dumps(document, ensure_ascii=False))


def show_list(resources: Iterable["Message"], columns: Iterable[Column], option: Form | None) -> None:
    """Prints resources as they come (json) or as one table."""
    if form_of(option) is Form.JSON:
        for resource in resources:
            line(json_text(resource))
        return
    from rich import box
    from rich.table import Table

    columns = list(columns)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title, _ in columns:
        table.add_column(title, overflow="fold")
    for resource in resources:
        table.add_row(*(read(resource) for _, read in columns))
    if table.row_count:
        console().print(table)
    else:
        note("none")


def show(resource: "Message", option: Form | None) -> None:
    """Prints one resource: its JSON, or its fields one a line."""
    if form_of(option) is Form.JSON:
        line(json_text(resource))
        return
    out = console()
    for name, value in _fields(resource):
        out.print(f"{name}: {value}", soft_wrap=True)


def _fields(resource: "Message") -> Iterable[tuple[str, str]]:
    document = json_object(resource)
    for field in resource.DESCRIPTOR.fields:
        value = document.get(field.json_name)
        if value is None:
            continue
        if field.type == field.TYPE_ENUM and not field.is_repeated:
            yield field.name, enum_word(resource, field.name)
        else:
            yield field.name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def enum_word(resource: "Message", field_name: str) -> str:
    """An enum value without the enum's name before it, such as `ACTIVE`; empty where it is unspecified."""
    enum_type: Any = resource.DESCRIPTOR.fields_by_name[field_name].enum_type
    number = getattr(resource, field_name)
    value = enum_type.values_by_number.get(number)
    if value is None:
        return str(number)
    prefix = enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
    word: str = value.name.removeprefix(prefix)
    return "" if word == "UNSPECIFIED" else word


def time_text(resource: "Message", field_name: str) -> str:
    """A timestamp to the second; empty where it is absent."""
    if not resource.HasField(field_name):
        return ""
    text: str = getattr(resource, field_name).ToJsonString()
    return text.split(".")[0].removesuffix("Z") + "Z"
