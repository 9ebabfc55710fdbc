"""The table of paths: which of D1's calls may share one."""

import pytest

from adapters.inbound.issuer_paths import IssuerPath
from adapters.inbound.problems import NO_CONTENT, Answer
from adapters.inbound.request import Request
from adapters.inbound.routes import Route, Routes
from adapters.settings import SettingsInvalid


async def endpoint(_request: Request) -> Answer:
    return NO_CONTENT


def table(*calls: tuple[str, str]) -> Routes:
    none = Route("/none", endpoint)
    return Routes({}, none, none, none, lambda _: None).with_issuer_calls(
        (IssuerPath.of(template).form, Route(template, endpoint, (method,))) for method, template in calls
    )


def test_calls_are_found_by_their_paths() -> None:
    routes = table(("POST", "/issuers/{issuerId}/otp"), ("POST", "/issuers/{issuerId}/cards/{cardId}"))
    found = routes.find(b"/issuers/ISSUER0001/cards/c")
    assert found is not None
    assert found.template == "/issuers/{issuerId}/cards/{cardId}"
    assert routes.find(b"/issuers/ISSUER0001") is None


def test_calls_at_one_path_are_told_apart_by_their_methods() -> None:
    found = table(("GET", "/issuers/{issuerId}/{a}"), ("POST", "/issuers/{issuerId}/{b}")).find(b"/issuers/i/x")
    assert found is not None
    assert found.methods == ("GET", "POST")


def test_two_calls_that_nothing_tells_apart_are_noticed_at_the_start() -> None:
    with pytest.raises(SettingsInvalid, match="two of D1's calls have the path"):
        table(("POST", "/{i}/cards/{cardId}"), ("POST", "/otp/{issuerId}"), ("POST", "/{issuerId}/cards/{c}"))
