"""Resource names: what goes in comes out, whatever partners call things."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain import names
from server.domain.refusals import FieldInvalid

# U+0000 is escaped before it comes here, and no parent may hold it.
IDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
COLLECTIONS = ("merchantGateways", "merchants", "tokens")


@pytest.mark.parametrize(
    ("text", "segment"),
    [
        ("MGW_000001", "MGW_000001"),
        ("a.b~c-d_e", "a.b~c-d_e"),
        ("a/b", "a%2Fb"),
        ("ü", "%C3%BC"),
        ("%", "%25"),
        ("*", "%2A"),
    ],
)
def test_segments(text: str, segment: str) -> None:
    assert names.segment(text) == segment


@given(IDS, IDS, IDS, IDS)
def test_a_name_holds_its_ids_and_nothing_that_could_be_mistaken(
    gateway: str, merchant: str, token: str, device: str
) -> None:
    name = names.binding(gateway, merchant, token, device)
    assert re.fullmatch(r"(/?[A-Za-z]+/[A-Za-z0-9._~%-]+){4}", name)
    assert name.startswith(f"{names.token(gateway, merchant, token)}/")
    parsed = names.parse_parent(names.token(gateway, merchant, token), COLLECTIONS)
    expected = zip(COLLECTIONS, (gateway, merchant, token), strict=True)
    assert parsed == {collection: text for collection, text in expected if text != "-"}


@given(st.lists(IDS, min_size=4, max_size=4, unique=True), st.lists(IDS, min_size=4, max_size=4, unique=True))
def test_different_ids_have_different_names(first: list[str], second: list[str]) -> None:
    assert (names.binding(*first) == names.binding(*second)) is (first == second)


@pytest.mark.parametrize(
    "parent",
    [
        "merchantGateways/g",
        "merchantGateways/g/merchants",
        "merchantGateways//merchants/m",
        "x/g/merchants/m",
        "/",
        "-",
    ],
)
def test_a_parent_of_another_form_is_refused(parent: str) -> None:
    with pytest.raises(FieldInvalid):
        names.parse_parent(parent, ("merchantGateways", "merchants"))


def test_a_dash_fixes_nothing() -> None:
    assert names.parse_parent("", ("merchantGateways",)) == {}
    assert names.parse_parent("merchantGateways/-/merchants/m", ("merchantGateways", "merchants")) == {"merchants": "m"}
