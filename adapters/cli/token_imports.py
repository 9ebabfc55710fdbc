"""Tokens from JSON lines: all of them are read and checked before the first is sent."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from adapters.cli.messages import message_of
from adapters.cli.refusals import Refused, Violation, usage
from adapters.cli.session import Session, request_id

if TYPE_CHECKING:
    from mintmark.v1 import tokens_pb2

# One call takes no more.
BATCH = 1000

Entries: TypeAlias = "list[tuple[int, tokens_pb2.TokenImport]]"


def read_tokens(file: Path | None) -> Entries:
    """The entries with their line numbers. Raises Refused that names every wrong line."""
    from mintmark.v1 import tokens_pb2

    entries: Entries = []
    wrong: list[Violation] = []
    for number, text in enumerate(_lines(file), 1):
        if not text.strip():
            continue
        try:
            document = json.loads(text)
        except ValueError as error:
            wrong.append(Violation(f"line {number}", f"not JSON: {error}"))
            continue
        if not isinstance(document, dict):
            wrong.append(Violation(f"line {number}", "not a JSON object"))
            continue
        message, wrongs = message_of(tokens_pb2.TokenImport, document)
        wrong += [Violation(f"line {number}", str(item)) for item in wrongs]
        if message is not None:
            entries.append((number, message))
    if wrong:
        raise Refused("nothing was imported: the tokens are not as they must be", violations=tuple(wrong))
    if not entries:
        raise usage("there are no tokens in the input")
    return entries


def send_tokens(session: Session, entries: Entries) -> "tokens_pb2.ImportTokensResponse":
    """Sends the entries in calls of 1,000. Raises Refused that names the wrong lines, and what was imported before."""
    from mintmark.v1 import tokens_pb2, tokens_pb2_grpc

    stub = tokens_pb2_grpc.TokensServiceStub(session.channel)
    total = tokens_pb2.ImportTokensResponse()
    for start in range(0, len(entries), BATCH):
        batch = entries[start : start + BATCH]
        request = tokens_pb2.ImportTokensRequest(request_id=request_id(), tokens=[message for _, message in batch])
        try:
            answer = session.call(stub.ImportTokens, request)
        except Refused as refused:
            lines = [number for number, _ in batch]
            refused.violations = tuple(_by_line(violation, lines) for violation in refused.violations)
            if start:
                refused.text += f"; the tokens up to line {entries[start - 1][0]} are imported, repeating is safe"
            raise
        total.created_count += answer.created_count
        total.existing_count += answer.existing_count
    return total


def _by_line(violation: Violation, lines: list[int]) -> Violation:
    """`tokens[3].merchant_id` as `line 4: merchant_id`."""
    index, bracket, rest = violation.field.removeprefix("tokens[").partition("]")
    if not bracket or not index.isdigit() or int(index) >= len(lines):
        return violation
    return Violation(f"line {lines[int(index)]}: {rest.removeprefix('.')}", violation.description)


def _lines(file: Path | None) -> list[str]:
    if file is None or str(file) == "-":
        return sys.stdin.read().splitlines()
    try:
        return file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeError) as error:
        raise usage(f"cannot read {file}: {error}") from None
