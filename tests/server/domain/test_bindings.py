"""Bindings: what each report makes of each state."""

from dataclasses import replace

import pytest

from server.domain import bindings
from server.domain.bindings import Binding, BindingState
from server.domain.notifications import NotificationFlag, TshBinding

NOW = 1_700_000_000_000_000
EARLY, MIDDLE, LATE = (f"2020-01-0{day}T00:00:00Z" for day in (1, 2, 3))
STATES = {"ACTIVE": BindingState.ACTIVE, "SUSPENDED": BindingState.SUSPENDED, "DELETED": BindingState.DELETED}


def new() -> Binding:
    return bindings.first_seen("g", "m", "t", "d", NOW)


def held(text: str) -> Binding:
    """A binding whose state was reported at MIDDLE."""
    told = TshBinding(binding_state=text, last_update_timestamp=MIDDLE)
    return bindings.report(new(), told, "x", NOW, creation=False).binding


@pytest.mark.parametrize("before", [*STATES, "MELTED"])
@pytest.mark.parametrize("text", [*STATES, "MELTED", ""])
@pytest.mark.parametrize(("time", "stale"), [(EARLY, True), (MIDDLE, False), (LATE, False), ("", False), ("?", False)])
def test_every_update_of_every_state(before: str, text: str, time: str, stale: bool) -> None:
    binding = held(before)
    told = TshBinding(binding_state=text, last_update_timestamp=time)
    outcome = bindings.report(binding, told, "y", NOW, creation=False)
    assert outcome.stale is stale
    if stale:
        assert outcome.binding == replace(binding, delivery_count=2)
    else:
        shown = text or before
        assert outcome.binding.state is STATES.get(shown, BindingState.UNRECOGNIZED)
        assert (outcome.binding.state_text, outcome.binding.last_content) == (shown, "y")
        assert (NotificationFlag.VALUE_UNRECOGNIZED in outcome.flags) is (text == "MELTED")


@pytest.mark.parametrize("before", [*STATES, "MELTED"])
@pytest.mark.parametrize(("time", "stale"), [(EARLY, True), (MIDDLE, True), (LATE, False), ("", False)])
def test_every_creation_after_an_update(before: str, time: str, stale: bool) -> None:
    outcome = bindings.report(held(before), TshBinding(creation_timestamp=time), "y", NOW, creation=True)
    assert outcome.stale is stale
    assert outcome.binding.state is (held(before).state if stale else BindingState.CREATED)


def test_a_creation_after_a_creation_is_stale_unless_newer() -> None:
    first = bindings.report(new(), TshBinding(creation_timestamp=MIDDLE), "x", NOW, creation=True).binding
    for time, stale in ((EARLY, True), (MIDDLE, True), (LATE, False)):
        assert bindings.report(first, TshBinding(creation_timestamp=time), "y", NOW, creation=True).stale is stale


def test_a_binding_names_its_token() -> None:
    binding = bindings.first_seen("g", "m/1", "t ü", "d", NOW)
    assert binding.token == "merchantGateways/g/merchants/m%2F1/tokens/t%20%C3%BC"
    assert binding.name == f"{binding.token}/bindings/d"


def test_details_that_are_not_told_stay() -> None:
    told = TshBinding(device_type="PHONE", app_type="IOS", idv_method="NONE", visa_provisioned_token_id="v")
    first = bindings.report(new(), told, "x", NOW, creation=True).binding
    update = TshBinding(app_type="WEB", event_initiator="TSP")
    second = bindings.report(first, update, "y", NOW + 1, creation=False).binding
    assert (second.device_type_text, second.app_type_text, second.idv_method_text) == ("PHONE", "WEB", "NONE")
    assert (second.event_initiator_text, second.visa_provisioned_token_id) == ("TSP", "v")
    assert (second.state, second.update_time, second.revision) == (BindingState.CREATED, NOW + 1, 2)
