"""Path templates, and the tree that finds the one of a path in as many steps as the path has segments."""

import re
from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar
from urllib.parse import quote, unquote_to_bytes

T = TypeVar("T")

ANY = "*"
_FORM = re.compile(r"(?P<before>/v1/)(\{(?P<field>[a-z_.]+)=(?P<pattern>[^}]+)\})?(?P<after>[^:{}]*)(:(?P<verb>\w+))?")
_ESCAPE_MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Template:
    """`/v1/{name=clients/*}:disable` in parts: segments (`*` is an id), the verb, and the field that a name goes to."""

    text: str
    segments: tuple[str, ...]
    verb: str
    field: str
    pattern: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Raises ValueError where the text is no template."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError(text)
        pattern = found["pattern"] or ""
        path = found["before"] + pattern + found["after"]
        return cls(text, tuple(path.split("/")[1:]), found["verb"] or "", found["field"] or "", pattern)

    def name(self, raw_path: bytes) -> str:
        """The resource name in a path that fits, percent-encoded as names are, whatever the path encodes.

        Raises ValueError where an id is not UTF-8 or not percent-encoded.
        """
        size = len(self.pattern.split("/"))
        segments = raw_path.split(b"/")[2 : 2 + size]
        if self.verb and size + 1 == len(self.segments):
            segments[-1] = segments[-1].rpartition(b":")[0]
        parent = self.field.rpartition(".")[2] == "parent"
        return "/".join(_segment(segment, wildcard=parent) for segment in segments)


def _segment(raw: bytes, *, wildcard: bool) -> str:
    if _ESCAPE_MALFORMED.search(raw):
        raise ValueError("a percent sign is not followed by two hexadecimal digits")
    try:
        text = quote(unquote_to_bytes(raw).decode("utf-8"), safe="")
    except UnicodeDecodeError:
        raise ValueError("an id is not UTF-8") from None
    # Where `-` means any, `%2D` means the id that is a hyphen.
    return "%2D" if wildcard and text == "-" and raw != b"-" else text


@dataclass(slots=True)
class Tree(Generic[T]):
    """What is found at paths: by segments, then by the verb after the last one."""

    _below: dict[bytes, "Tree[T]"] = field(default_factory=dict)
    _ends: dict[bytes, T] = field(default_factory=dict)

    def add(self, template: Template, found: T) -> None:
        node = self
        for segment in template.segments:
            node = node._below.setdefault(segment.encode(), Tree())
        if template.verb.encode() in node._ends:
            raise ValueError(f"{template.text}: another template has the same form")
        node._ends[template.verb.encode()] = found

    def find(self, raw_path: bytes) -> T | None:
        """What is at a path as it was sent; None where nothing is. A colon is a verb's where there is such a verb."""
        *parents, last = raw_path.split(b"/")[1:]
        node: Tree[T] | None = self
        for segment in parents:
            node = node._child(segment) if node is not None else None
        if node is None:
            return None
        before, colon, verb = last.rpartition(b":")
        if colon and (child := node._child(before)) is not None and (found := child._ends.get(verb)) is not None:
            return found
        child = node._child(last)
        return child._ends.get(b"") if child is not None else None

    def _child(self, segment: bytes) -> "Tree[T] | None":
        if not segment:
            return None
        return self._below.get(segment) or self._below.get(ANY.encode())
