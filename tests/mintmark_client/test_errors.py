"""Every way in which a call ends without an answer has a class."""

import pytest

from mintmark_client import errors
from mintmark_client.client import Client
from mintmark_client.errors import MintmarkError, Unavailable
from tests.house.test_errors import COMMENTS, REASONS
from tests.mintmark_client.fake_core import Failure, UnsteadyCore

FAMILIES: dict[str, type[MintmarkError]] = {
    "INVALID_ARGUMENT": errors.InvalidRequest,
    "UNAUTHENTICATED": errors.Unauthenticated,
    "PERMISSION_DENIED": errors.Forbidden,
    "NOT_FOUND": errors.NotFound,
    "ALREADY_EXISTS": errors.AlreadyExists,
    "FAILED_PRECONDITION": errors.PreconditionFailed,
    "OUT_OF_RANGE": errors.CursorOutOfRange,
    "UNAVAILABLE": errors.Unavailable,
    "ABORTED": errors.Unavailable,
    "RESOURCE_EXHAUSTED": errors.Unavailable,
    "DEADLINE_EXCEEDED": errors.Unavailable,
    "INTERNAL": errors.Fault,
}


def code_of(reason: str) -> str:
    """The status code that the schema gives with a reason."""
    return COMMENTS[reason].partition(".")[0]


def test_every_class_is_a_family_of_reasons() -> None:
    assert set(errors.CLASSES.values()) | {errors.Fault} == {FAMILIES[code_of(reason)] for reason in REASONS}


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_every_reason_is_told_by_its_class(reason: str, unsteady: UnsteadyCore, caller: Client) -> None:
    code = code_of(reason)
    unsteady.failures = [Failure(code, reason)] * 1000
    with pytest.raises(MintmarkError) as caught:
        caller.using(correlation_id="c-1").tokens.get("x")
    told = caught.value
    assert type(told) is FAMILIES[code]
    assert isinstance(told, errors.Refused) is (FAMILIES[code] not in {errors.Unavailable, errors.Fault})
    assert (told.code and told.code.name, told.reason, told.metadata) == (code, reason, {"resource": "tokens/x"})
    assert (told.text, told.correlation_id) == ("failed by script", "c-1")
    assert str(told) == f"failed by script ({reason}, correlation id c-1)"


@pytest.mark.parametrize("code", [*FAMILIES, "CANCELLED", "UNKNOWN", "UNIMPLEMENTED", "DATA_LOSS"])
def test_an_error_without_a_reason_has_a_class_by_its_code(code: str, unsteady: UnsteadyCore, caller: Client) -> None:
    unsteady.failures = [Failure(code)] * 1000
    with pytest.raises(MintmarkError) as caught:
        caller.tokens.get("x")
    assert type(caught.value) is FAMILIES.get(code, errors.Fault)
    assert (caught.value.reason, caught.value.metadata) == ("", {})
    assert f"({code}, correlation id " in str(caught.value)


def test_nobody_there_is_told_as_unavailable(unsteady: UnsteadyCore, caller: Client) -> None:
    unsteady.stop()
    with pytest.raises(Unavailable) as caught:
        caller.tokens.get("x")
    assert caught.value.correlation_id
