"""Tests that share what is slow to start run on one worker."""

import re

from tests.house.tree import ROOT
from tests.sharing import SECONDS, SHARED, group, longest


def test_who_uses_the_running_stack_shares_it() -> None:
    users = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if re.search(r"def \w+\([^)]*running_stack: Stack", path.read_text())
    }
    assert users == {file for file, shared in SHARED.items() if shared == "running stack"}


def test_the_tests_of_a_file_and_those_that_share_run_together() -> None:
    for file in SHARED.keys() | {"tests/house/test_sharing.py"}:
        assert group(f"{file}::test_a") == group(f"{file}::test_b[x@y]")
    stack, *others = (group(f"{file}::test_a") for file, shared in SHARED.items() if shared == "running stack")
    assert {stack} == {*others}
    assert group("tests/house/test_sharing.py::test_a") != group("tests/house/test_names.py::test_a")


def test_what_is_named_is_there() -> None:
    files = SHARED.keys() | (SECONDS.keys() - SHARED.values())
    assert not [file for file in files if not (ROOT / file).exists()]


def test_the_longest_begins_first() -> None:
    named, unknown = max(SECONDS, key=lambda name: SECONDS[name]), "tests/flows/test_new.py"
    many, few = "tests/house/test_sharing.py", "tests/house/test_names.py"
    groups = {few: range(3), many: range(1000), unknown: range(3), named: range(1)}
    for name in (named, unknown, many, few):
        assert longest(groups) == name
        del groups[name]
