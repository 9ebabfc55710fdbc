"""Tests that share what is slow to start run on one worker."""

import re

from tests.house.tree import ROOT
from tests.sharing import SHARED, group


def test_who_uses_the_running_stack_shares_it() -> None:
    users = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if re.search(r"def \w+\([^)]*running_stack: Stack", path.read_text())
    }
    assert users == {file for file, shared in SHARED.items() if shared == "running stack"}


def test_what_shares_something_is_there_and_runs_together() -> None:
    for file in SHARED:
        assert (ROOT / file).exists(), file
        assert group(f"{file}::test_a") == group(f"{file}::test_b[x@y]")
    alone = "tests/house/test_sharing.py"
    assert group(f"{alone}::test_a") != group(f"{alone}::test_b")
