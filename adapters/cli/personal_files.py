"""A person's data from a YAML or JSON file or stdin: read here, never taken from or shown in a command line."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.cli import stated_files
from adapters.cli.messages import message_of
from adapters.cli.private_files import private_text
from adapters.cli.refusals import Refused, usage

if TYPE_CHECKING:
    from mintmark.v1 import consumers_pb2

LONGEST = 16 * 1024
WHAT = "personal data"
WANTED = "personal data is a mapping in YAML or JSON, such as `first_name: Ana`"


def read_person(file: Path) -> "consumers_pb2.PersonalData":
    """The personal data; `-` is stdin. Raises Refused that names every wrong line and shows none of them."""
    from mintmark.v1 import consumers_pb2

    document, lines = _document(file)
    person, wrongs = message_of(consumers_pb2.PersonalData, document)
    if person is None:
        stated_files.refuse(file, [(_line(lines, wrong.field), str(wrong)) for wrong in wrongs])
        raise usage(WANTED)
    return person


def _line(lines: Mapping[str, int], field: str) -> int:
    return lines.get(field.partition(".")[0], lines[""])


def _document(file: Path) -> tuple[Mapping[str, Any], Mapping[str, int]]:
    import yaml

    text = private_text(file, LONGEST, WHAT)
    if len(text) > LONGEST:
        raise usage(f"personal data has {LONGEST} characters at most")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            return {}, {"": 1}
        if not isinstance(node, yaml.MappingNode):
            raise usage(WANTED)
        entry = stated_files.entry_of(node)
    except yaml.YAMLError as error:
        raise Refused(f"nothing was sent: {WHAT} is neither YAML nor JSON: {stated_files.where(error)}") from None
    except RecursionError:
        raise usage(WANTED) from None
    inner = [stated_files.entry_of(value) for _, value in node.value if isinstance(value, yaml.MappingNode)]
    stated_files.refuse(file, [twice for each in (entry, *inner) for twice in each.twice])
    return entry.document, entry.lines
