"""Differences are named as the API names its fields, and changes are carried over field by field."""

from dataclasses import fields, replace
from typing import Any

import pytest
from mintmark.v1 import bindings_pb2, merchants_pb2, tokens_pb2

from server.domain.differences import BOOKKEEPING, SHOWN_BOOKKEEPING, UNSHOWN, carried_over, differences, same
from server.domain.merchants import Merchant
from server.domain.replays import Difference
from tests.server.store import samples

MESSAGES: list[tuple[Any, Any]] = [
    (samples.token(), tokens_pb2.Token.DESCRIPTOR),
    (samples.binding(), bindings_pb2.Binding.DESCRIPTOR),
    (samples.merchant(), merchants_pb2.Merchant.DESCRIPTOR),
]


@pytest.mark.parametrize(("resource", "message"), MESSAGES, ids=lambda each: type(each).__name__)
def test_every_path_is_a_field_of_the_api(resource: Any, message: Any) -> None:
    found = differences(None, resource)
    assert len(found) > 5
    for each in found:
        of = message
        for part in each.path.split("."):
            field = of.fields_by_name[part.partition("[")[0]]
            of = field.message_type
        assert (each.before, bool(each.after)) == ("", True)


@pytest.mark.parametrize("resource", [samples.token(), samples.binding()], ids=lambda each: type(each).__name__)
def test_every_field_is_shown_or_left_out_on_purpose(resource: Any) -> None:
    """A field that is added is noticed here where it is neither."""
    for field in fields(resource):
        changed = replace(resource, **{field.name: 1 if field.name.endswith("_time") else "other"})
        shown = bool(differences(resource, changed))
        assert shown is (field.name == "name" or field.name not in (BOOKKEEPING - SHOWN_BOOKKEEPING) | UNSHOWN), field


def test_times_are_read_by_people() -> None:
    token = samples.token()
    (found,) = differences(token, replace(token, partner_order_time=1_700_000_000_000_000))
    assert found == Difference("partner_order_time", "1969-12-31T23:59:59.999995Z", "2023-11-14T22:13:20Z")


def test_bookkeeping_is_no_difference() -> None:
    token = samples.token()
    counted = replace(token, delivery_count=9, revision=9, update_time=9, create_time=9, refreshed_generation=9)
    assert differences(token, counted) == ()
    assert same(token, counted)
    assert not same(token, replace(token, last_content="x"))
    assert not same(token, None)
    assert same(None, None)
    assert same(token, replace(token, last_update_type="x"), besides=frozenset({"last_update_type"}))


def test_a_change_is_carried_over_and_nothing_else() -> None:
    before, other = samples.token(), replace(samples.token(), state_text="OTHER", disable_reason="other", revision=2)
    after = replace(before, disable_time=None, disable_reason="", revision=8)
    assert carried_over(other, before, after) == replace(other, disable_time=None, disable_reason="")
    held = samples.merchant()
    visa = replace(held.scheme_registrations[1], error_code="")
    changed = replace(held, scheme_registrations=(held.scheme_registrations[0], visa))
    mine = replace(held, scheme_registrations=held.scheme_registrations[1:])
    carried, whole = carried_over(mine, held, changed), carried_over(mine, None, changed)
    assert isinstance(carried, Merchant)
    assert carried.scheme_registrations == (visa,)
    assert isinstance(whole, Merchant)
    assert whole.scheme_registrations == changed.scheme_registrations
