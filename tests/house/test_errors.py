"""Every refusal has a reason and a code, and every reason is a refusal."""

import inspect
import re

import pytest
from mintmark.v1 import errors_pb2

from server.domain import refusals
from server.domain.refusals import Refusal
from server.rpc.refusals import TOLD_AS
from tests.house.tree import ROOT, calls, parsed, sources

PREFIX = "ERROR_REASON_"
# A fault of ours is no refusal: the gRPC room answers it where nothing else fits.
FAULT = "INTERNAL"
CODES = (
    "INVALID_ARGUMENT|OUT_OF_RANGE|UNAUTHENTICATED|PERMISSION_DENIED|NOT_FOUND|ALREADY_EXISTS|FAILED_PRECONDITION|"
    "ABORTED|RESOURCE_EXHAUSTED|UNAVAILABLE|INTERNAL|DEADLINE_EXCEEDED"
)
REASONS = {name.removeprefix(PREFIX) for name in errors_pb2.ErrorReason.DESCRIPTOR.values_by_name} - {"UNSPECIFIED"}


def comments() -> dict[str, str]:
    """What errors.proto says of each reason."""
    found, text = {}, ""
    for line in (ROOT / "protos/mintmark/v1/errors.proto").read_text().splitlines():
        if comment := re.fullmatch(r"\s*// ?(.*)", line):
            text += f" {comment[1]}"
        else:
            if value := re.match(rf"\s*{PREFIX}(\w+) = ", line):
                found[value[1]] = text.strip()
            text = ""
    return found


COMMENTS = comments()


def reason(refusal: type[Refusal]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", refusal.__name__).upper()


REFUSALS = {
    reason(item): item
    for item in vars(refusals).values()
    if isinstance(item, type) and issubclass(item, Refusal) and item is not Refusal
}


def test_every_refusal_has_a_reason_and_every_reason_a_refusal() -> None:
    assert set(REFUSALS) == REASONS - {FAULT}


@pytest.mark.parametrize("name", sorted(REASONS))
def test_every_reason_is_documented(name: str) -> None:
    assert re.match(rf"({CODES})\. \S.{{20}}", COMMENTS[name])


@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_a_refusal_carries_the_metadata_that_is_documented(name: str) -> None:
    arguments = dict.fromkeys(inspect.signature(REFUSALS[name]).parameters, "x")
    refusal = REFUSALS[name](**arguments)
    _, _, documented = COMMENTS[name].partition("Metadata: ")
    assert set(refusal.metadata) == set(re.findall(r"`(\w+)`", documented.partition(";")[0]))
    assert refusal.text


def test_every_refusal_is_told_with_its_own_reason_and_the_code_that_is_documented() -> None:
    told = {item: (errors_pb2.ErrorReason.Name(number), code.name) for item, (number, code) in TOLD_AS.items()}
    documented = {item: (PREFIX + name, COMMENTS[name].partition(".")[0]) for name, item in REFUSALS.items()}
    assert told == documented


def test_every_refusal_is_used() -> None:
    used = set[str]().union(*(calls(parsed(path)) for path in sources("server") if path.name != "refusals.py"))
    named = {name.rpartition(".")[2] for name in used}
    assert not {item.__name__ for item in REFUSALS.values()} - named
