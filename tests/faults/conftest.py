"""What the fault campaigns share."""

import sys
from collections.abc import Callable

import pytest

# What fails there says what it saw, as in a test.
pytest.register_assert_rewrite("tests.faults.books", "tests.faults.crashes", "tests.faults.pair")


@pytest.fixture
def figures(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Shows a campaign's figures to whoever runs it."""

    def show(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{request.node.name}: {text}\n")

    return show
