"""A caller of a running twin, and a gateway that its notifications go to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.sandbox.sibs.caller import Caller, caller_of
from tests.adapters.sandbox.sibs.receiver import Receiver


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    """Of a twin of its own."""
    with caller_of(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def shared_caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Of a twin for calls that get along with each other: use codes and merchants of your own."""
    with caller_of(tmp_path_factory.mktemp("twin")) as made:
        yield made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    try:
        yield made
    finally:
        made.close()
