"""What a twin's control API answers, shown for people or as JSON lines."""

import json
from collections.abc import Callable
from typing import Any

from adapters.cli.output import Form, form_of, line
from adapters.cli.sandbox_control import connected

Document = dict[str, Any]
Text = Callable[[Document], str]


def show(document: Document, text: Text, output: Form | None) -> None:
    """One of them."""
    line(json.dumps(document, ensure_ascii=False) if form_of(output) is Form.JSON else text(document))


def show_all(documents: list[Document], text: Text, output: Form | None) -> None:
    """Several of them."""
    for document in documents:
        show(document, text, output)


def show_call(method: str, path: str, order: Document | None, text: Text, output: Form | None) -> None:
    """The answer of one call. Raises Refused."""
    with connected() as control:
        show(control.call(method, path, order), text, output)


def show_lines(path: str, text: Text, output: Form | None, wanted: Callable[[Document], bool] | None = None) -> None:
    """An answer of JSON lines as it comes. Raises Refused."""
    with connected() as control:
        for found in control.lines(path):
            document = json.loads(found)
            if wanted is None or wanted(document):
                line(found if form_of(output) is Form.JSON else text(document))
