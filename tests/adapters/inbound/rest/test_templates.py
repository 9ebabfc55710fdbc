"""Paths: one id a segment, whatever it is encoded as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.inbound.rest.templates import Template, Tree
from server.domain import names

TOKEN = Template.of("/v1/{name=merchantGateways/*/merchants/*/tokens/*}")
DISABLE = Template.of("/v1/{name=merchantGateways/*/merchants/*/tokens/*}:disable")
TOKENS = Template.of("/v1/{parent=merchantGateways/*/merchants/*}/tokens")


@pytest.fixture
def tree() -> Tree[str]:
    made: Tree[str] = Tree()
    for name, template in (("token", TOKEN), ("disable", DISABLE), ("tokens", TOKENS)):
        made.add(template, name)
    made.add(Template.of("/v1/tokens:import"), "import")
    made.add(Template.of("/v1/tokens"), "all")
    return made


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (b"/v1/tokens", "all"),
        (b"/v1/tokens:import", "import"),
        (b"/v1/tokens:other", None),
        (b"/v1/tokens/", None),
        (b"/v1", None),
        (b"/v1/", None),
        (b"//v1/tokens", None),
        (b"/v1/merchantGateways/g/merchants/m/tokens", "tokens"),
        (b"/v1/merchantGateways/-/merchants/-/tokens", "tokens"),
        (b"/v1/merchantGateways/g/merchants/m/tokens/t", "token"),
        (b"/v1/merchantGateways/g/merchants/m/tokens/t:disable", "disable"),
        (b"/v1/merchantGateways/g/merchants/m/tokens/t%3Adisable", "token"),
        (b"/v1/merchantGateways/g/merchants/m/tokens/t:x", "token"),
        (b"/v1/merchantGateways/g/merchants/m/tokens/a%2Fb", "token"),
        (b"/v1/merchantGateways/g/merchants/m/tokens/a/b", None),
        (b"/v1/merchantGateways/g/merchants/m/tokens/..", "token"),
        (b"/v1/merchantGateways/g/merchants/../tokens/t", "token"),
        (b"/v1/merchantGateways//merchants/m/tokens/t", None),
        (b"/v1/merchantGateways/g/merchants/m/tokens/:disable", "token"),
        (b"/v1/%6Derchants", None),
    ],
)
def test_finding(tree: Tree[str], path: bytes, found: str | None) -> None:
    assert tree.find(path) == found


def test_two_templates_of_one_form_are_refused(tree: Tree[str]) -> None:
    with pytest.raises(ValueError, match="the same form"):
        tree.add(Template.of("/v1/{parent=merchantGateways/*/merchants/*/tokens/*}"), "again")


@pytest.mark.parametrize("text", ["/v2/x", "/v1/{name=clients/*", "/v1/x:", "v1/x", "/v1/{Name=clients/*}"])
def test_what_is_no_template(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Template.of(text)


@given(st.lists(st.text(min_size=1), min_size=3, max_size=3), st.sampled_from([TOKEN, DISABLE]))
def test_the_name_of_a_path_is_the_name_that_the_core_gives(ids: list[str], template: Template) -> None:
    try:
        name = names.token(*ids)
    except UnicodeEncodeError:
        return
    verb = ":disable" if template is DISABLE else ""
    assert template.name(f"/v1/{name}{verb}".encode()) == name
    # What another client encodes that need not be, is the same name.
    everything = "/".join(
        f"{collection}/{''.join(f'%{byte:02x}' for byte in each.encode())}"
        for collection, each in zip(("merchantGateways", "merchants", "tokens"), ids, strict=True)
    )
    assert template.name(f"/v1/{everything}{verb}".encode()) == name


def test_a_hyphen_in_a_parent_is_any_and_an_encoded_one_is_an_id() -> None:
    assert TOKENS.name(b"/v1/merchantGateways/-/merchants/%2d/tokens") == "merchantGateways/-/merchants/%2D"
    assert TOKEN.name(b"/v1/merchantGateways/-/merchants/%2d/tokens/t") == "merchantGateways/-/merchants/-/tokens/t"


@pytest.mark.parametrize("segment", [b"%", b"%a", b"%zz", b"%ff", b"%c3%28"])
def test_what_is_not_encoded_as_it_should(segment: bytes) -> None:
    with pytest.raises(ValueError, match=r"percent|UTF-8"):
        TOKEN.name(b"/v1/merchantGateways/g/merchants/m/tokens/" + segment)
