"""What a caller sees: the whole table of bindings and things."""

import pytest

from server.domain.callers import ANY, Reach

# Things: administrative, of a gateway only, of merchants of two gateways.
THINGS = [("", ""), ("g1", ""), ("g1", "m1"), ("g1", "m2"), ("g2", "m1")]


@pytest.mark.parametrize(
    ("gateways", "merchants", "seen"),
    [
        ([], [], [False, False, False, False, False]),
        ([], ["m1"], [False, False, False, False, False]),
        ([ANY], [], [True, True, True, True, True]),
        ([ANY], ["m1"], [False, False, True, False, True]),
        (["g1"], [], [False, True, True, True, False]),
        (["g1"], ["m1"], [False, False, True, False, False]),
        (["g1", "g2"], ["m1"], [False, False, True, False, True]),
        (["g3"], [], [False, False, False, False, False]),
        ([""], [], [False, False, False, False, False]),
    ],
)
def test_what_a_caller_sees(gateways: list[str], merchants: list[str], seen: list[bool]) -> None:
    reach = Reach(frozenset(gateways), frozenset(merchants))
    assert [reach.sees(*thing) for thing in THINGS] == seen
