"""The table of paths: no two of D1's calls share one, unless their methods tell them apart."""

import re

import pytest

from adapters.inbound.problems import NO_CONTENT, Answer
from adapters.inbound.request import Request
from adapters.inbound.routes import Route, Routes
from adapters.settings import SettingsInvalid


async def endpoint(_request: Request) -> Answer:
    return NO_CONTENT


def table(*templates: str) -> Routes:
    none = Route("/none", endpoint)
    return Routes({}, none, none, none, lambda _: None).with_issuer_calls(
        (re.compile(re.sub(r"\{\w+\}", "[^/]*", template).encode()), Route(template, endpoint))
        for template in templates
    )


def test_calls_are_found_by_their_paths() -> None:
    routes = table("/issuers/{issuerId}/otp", "/issuers/{issuerId}/cards/{cardId}")
    found = routes.find(b"/issuers/ISSUER0001/cards/c")
    assert found is not None
    assert found.template == "/issuers/{issuerId}/cards/{cardId}"
    assert routes.find(b"/issuers/ISSUER0001") is None


def test_two_calls_at_one_path_are_noticed_at_the_start() -> None:
    with pytest.raises(SettingsInvalid, match="two of D1's calls have the path"):
        table("/issuers/{i}/cards/{cardId}", "/otp/{issuerId}", "/issuers/{issuerId}/cards/{c}")


def test_calls_of_one_path_are_told_apart_by_their_methods() -> None:
    """A one-time password may be sent to where its consumer is asked about."""
    none = Route("/none", endpoint)
    routes = Routes({}, none, none, none, lambda _: None)
    form = re.compile(b"/consumers/[^/]*")
    asked, sent = Route("/consumers/{c}", endpoint, ("GET",)), Route("/consumers/{consumerId}", endpoint, ("POST",))
    found = routes.with_issuer_calls([(form, asked)]).with_issuer_calls([(form, sent)]).find(b"/consumers/c-1")
    assert found is not None
    assert (found.template, found.methods) == ("/consumers/{c}", ("GET", "POST"))
    with pytest.raises(SettingsInvalid):
        routes.with_issuer_calls([(form, asked), (form, sent), (form, sent)])
