"""How a partner's export is to be read: which column is what, and what its words mean. Nothing of it is guessed."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adapters.cli.refusals import Refused, usage

NEEDED = ("transaction_id", "reference", "transaction_type", "amount", "currency", "outcome", "merchant_id")
OPTIONAL = ("response_code", "time")
FIELDS = NEEDED + OPTIONAL
TYPES = ("PRE_AUTH", "CAPTURE", "REFUND", "VOID")
OUTCOMES = ("DONE", "PARTLY_DONE", "DECLINED", "OPEN")

Words = dict[str, str]


@dataclass(frozen=True, slots=True)
class ExportMapping:
    """`columns` and `constants`: a field's column, or its value in every row. `types` and `outcomes`: what each word of
    the export stands for. The default is that of `mintmark sandbox payment-options ledger --csv`."""

    columns: Words = field(default_factory=lambda: {name: name for name in (*NEEDED, "time")})
    constants: Words = field(default_factory=dict)
    types: Words = field(default_factory=lambda: {word: word for word in TYPES})
    outcomes: Words = field(
        default_factory=lambda: {
            "APPROVED": "DONE",
            "PARTIALLY_APPROVED": "PARTLY_DONE",
            "DECLINED": "DECLINED",
            "PENDING": "OPEN",
        }
    )


def mapping_of(file: Path | None, **given: Iterable[str]) -> ExportMapping:
    """What the file says, with what the options of the same names say besides: `field=column`, `word=meaning`.

    Columns, types or outcomes that are stated take the place of all the default ones. Raises Refused.
    """
    stated = _from_file(file) if file else {}
    for part, pairs in given.items():
        for name, value in _pairs(pairs, f"--{part}").items():
            stated.setdefault(part, {})[name] = value
    _check(stated)
    mapping = ExportMapping(**stated)
    both = sorted(mapping.columns.keys() & mapping.constants.keys())
    if both and "columns" in stated:
        raise usage(f"{', '.join(both)}: given as a column and as a constant")
    return ExportMapping(
        {name: column for name, column in mapping.columns.items() if name not in both},
        mapping.constants,
        mapping.types,
        mapping.outcomes,
    )


def _from_file(file: Path) -> dict[str, Words]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeError) as error:
        raise usage(f"cannot read {file}: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise Refused(f"{file} is not TOML: {error}") from None
    for part, words in document.items():
        if part not in ("columns", "constants", "types", "outcomes"):
            raise Refused(f"{file}: {part} is none of columns, constants, types, outcomes")
        if not isinstance(words, dict) or not all(isinstance(value, str) for value in words.values()):
            raise Refused(f"{file}: [{part}] must hold texts")
    return document


def _pairs(texts: Iterable[str], option: str) -> Words:
    found: Words = {}
    for pair in (pair for text in texts for pair in text.split(",")):
        name, equals, value = pair.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise usage(f"{option}: {pair!r} is not name=value")
        found[name.strip()] = value.strip()
    return found


def _check(stated: Mapping[str, Words]) -> None:
    for part in ("columns", "constants"):
        for name in stated.get(part, {}):
            if name not in FIELDS:
                raise usage(f"{part}: {name!r} is none of {', '.join(FIELDS)}")
    for part, meanings in (("types", TYPES), ("outcomes", OUTCOMES)):
        for word, meaning in stated.get(part, {}).items():
            if meaning not in meanings:
                raise usage(f"{part}: {word!r} stands for {meaning!r}, which is none of {', '.join(meanings)}")
