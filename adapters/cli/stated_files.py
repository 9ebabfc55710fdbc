"""Files in which operators state what there should be: YAML, with the line of everything that is wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.cli.refusals import Refused, Violation, usage


@dataclass(frozen=True, slots=True)
class Entry:
    """A mapping in a file: what it holds, and the line of each field; of `""` where it begins."""

    document: dict[str, Any]
    lines: Mapping[str, int]
    twice: Sequence[tuple[int, str]]


def compose(path: Path) -> Any:
    """The file's YAML nodes; None where it is empty. Raises Refused."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise usage(f"cannot read {path}: {error}") from None
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise Refused(f"nothing was changed: {path} is not YAML: {where(error)}") from None


def entry_of(node: Any, ignored: frozenset[str] = frozenset()) -> Entry:
    """What a mapping node holds, without what is ignored."""
    lines = {"": node.start_mark.line + 1}
    document: dict[str, Any] = {}
    twice = []
    for key, value in node.value:
        name, number = str(key.value), key.start_mark.line + 1
        if name in ignored:
            continue
        if name in lines:
            twice.append((number, f"{name}: is given twice, first on line {lines[name]}"))
        lines[name] = number
        document[name] = plain(value)
    return Entry(document, lines, twice)


def text_of(folder: Path, file: object) -> tuple[str, str]:
    """The text of a file beside, such as a secret, and what is wrong with it."""
    try:
        text = (folder / str(file)).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        return "", f"cannot be read ({type(error).__name__})"
    return text, "" if text else "the file is empty"


def plain(node: Any) -> Any:
    """A node as text, list or dict. Scalars stay the text that was written: ids of digits need no quotes."""
    if node.id == "mapping":
        return {str(key.value): plain(value) for key, value in node.value}
    if node.id == "sequence":
        return [plain(value) for value in node.value]
    return None if node.tag == "tag:yaml.org,2002:null" else node.value


def where(error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}: {problem}" if mark else problem


def refuse(path: Path, wrong: Sequence[tuple[int, str]]) -> None:
    """Raises Refused that names every wrong line, where there is one."""
    found = [
        Violation(f"{path} line {number}", description) if number else Violation(str(path), description)
        for number, description in wrong
    ]
    if found:
        raise Refused("nothing was changed: the file is not as it must be", violations=tuple(found))


def located(refused: Refused, path: Path, prefix: str, lines: Sequence[Mapping[str, int]]) -> Refused:
    """The same refusal with lines of the file in place of indexes: `desired[1].value` is `line 9: value`."""
    refused.violations = tuple(_located(each, path, prefix, lines) for each in refused.violations)
    return refused


def entries_of(refused: Refused, prefix: str) -> set[int]:
    """The indexes of the entries that a refusal is about: of `desired[1].value` 1."""
    parted = [each.field.removeprefix(f"{prefix}[").partition("]") for each in refused.violations]
    return {int(index) for index, bracket, _ in parted if bracket and index.isdigit()}


def _located(violation: Violation, path: Path, prefix: str, lines: Sequence[Mapping[str, int]]) -> Violation:
    index, bracket, rest = violation.field.removeprefix(f"{prefix}[").partition("]")
    if not bracket or not index.isdigit() or int(index) >= len(lines):
        return violation
    found = lines[int(index)]
    field = rest.removeprefix(".")
    number = found.get(field.partition("[")[0].partition(".")[0], found[""])
    return Violation(f"{path} line {number}: {field}".removesuffix(": "), violation.description)
