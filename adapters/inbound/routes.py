"""Every path of the gateway, and what answers there. Paths are matched as they were sent, before percent-decoding."""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from adapters.inbound import d1_ecom, d1_issuer, payment_options, sibs, tsh
from adapters.inbound.consumer_information import ConsumerInformation
from adapters.inbound.d1_directory import ACTIVATE, D1Directory
from adapters.inbound.d1_ecom import D1Ecom
from adapters.inbound.d1_issuer import D1Issuer
from adapters.inbound.issuer_paths import IssuerPath
from adapters.inbound.oauth import OAuth, Paths
from adapters.inbound.payment_options import PaymentWebhooks
from adapters.inbound.problems import Answer, limited
from adapters.inbound.request import Request
from adapters.inbound.sibs import SibsNotifications
from adapters.inbound.tsh import Tsh
from adapters.settings import Settings, SettingsInvalid

Endpoint = Callable[[Request], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """A path's template for logs and metrics, its methods (none: any), and how its callers are treated."""

    template: str
    endpoint: Endpoint
    methods: tuple[str, ...] = ("POST",)
    # TSH knows 429; D1 does not.
    tsh: bool = False
    # A partner's feed: a 401 here raises an alert, because the feed may have stopped.
    partner: bool = False
    # Who cannot get an access token cannot do anything: never refused for load.
    never_shed: bool = False
    # Its endpoint finds out whose trace is followed before it calls the core (Request.authenticated, .introduced).
    authenticates: bool = False
    # Refused for load while partners are still answered.
    shed_first: bool = False
    # The answer where too many authentications have failed, by the seconds to wait.
    limited: Callable[[int], Answer] = limited
    # How answers that say no are told here, where not in the partner's shape.
    reshape: Callable[[Answer, Request], Answer] | None = None


@dataclass(frozen=True, slots=True)
class Routes:
    """The table."""

    exact: dict[bytes, Route]
    notify_update: Route
    webhook: Route
    acquirer: Route
    rest: Callable[[bytes], Route | None]
    # Those of D1 towards issuers, by what their paths look like.
    issuer: tuple[tuple[re.Pattern[bytes], Route], ...] = ()

    def with_issuer_calls(self, calls: Iterable[tuple[re.Pattern[bytes], Route]]) -> "Routes":
        """The table with more calls of D1's to issuers, by what their paths look like. Those of one path are told apart
        by their methods. Raises SettingsInvalid where they cannot be."""
        found: dict[re.Pattern[bytes], Route] = {}
        for form, route in (*self.issuer, *calls):
            found[form] = _beside(found[form], route) if form in found else route
        return replace(self, issuer=tuple(found.items()))

    def find(self, raw_path: bytes) -> Route | None:
        """The route of a path as it was sent; None where there is none."""
        found = self.exact.get(raw_path)
        if found is None and d1_ecom.PATH.fullmatch(raw_path):
            return self.notify_update
        if found is None and payment_options.PATH.fullmatch(raw_path):
            return self.webhook
        if found is None and sibs.PATH.fullmatch(raw_path):
            return self.acquirer
        if found is None:
            found = next((route for form, route in self.issuer if form.fullmatch(raw_path)), None)
        return found or self.rest(raw_path)


def table(
    d1: D1Ecom,
    issuer_side: D1Issuer,
    tsh_api: Tsh,
    webhooks: PaymentWebhooks,
    acquirer: SibsNotifications,
    oauth: OAuth,
    paths: Paths,
    tsh_prefix: str,
    issuer_prefix: str,
    rest: Callable[[bytes], Route | None],
    *others: Route,
) -> Routes:
    """The routes at the paths of the settings. TSH is at the root and under its prefix; `rest` is for `/v1`."""
    read = ("GET", "HEAD")
    oauth_limited = partial(limited, text="temporarily_unavailable")
    too_many = partial(limited, status=429)
    routes = [
        Route(paths.ecom_token, oauth.ecom_token, partner=True, never_shed=True, limited=oauth_limited),
        Route(paths.issuer_token, oauth.issuer_token, partner=True, never_shed=True, limited=oauth_limited),
        Route(paths.revoke, oauth.revoke, never_shed=True, limited=oauth_limited),
        Route(paths.introspect, oauth.introspect, limited=oauth_limited),
        Route(paths.jwks, oauth.jwks, read),
        Route(paths.metadata, oauth.metadata, read),
        *others,
    ]
    for kind in tsh.KINDS:
        for prefix in dict.fromkeys(("", tsh_prefix)):
            routes.append(
                Route(
                    prefix + kind.path,
                    partial(tsh_api.notify, kind=kind),
                    tsh=True,
                    partner=True,
                    authenticates=True,
                    limited=too_many,
                )
            )
    notify_update = Route(d1_ecom.TEMPLATE, d1.notify_update, partner=True, authenticates=True)
    webhook = Route(payment_options.TEMPLATE, webhooks.receive, partner=True)
    notification = Route(sibs.TEMPLATE, acquirer.receive, partner=True)
    issuer = tuple(_issuer(issuer_side, issuer_prefix))
    exact = {route.template.encode(): route for route in routes}
    return Routes(exact, notify_update, webhook, notification, rest, issuer)


def _beside(one: Route, other: Route) -> Route:
    """Two routes of one path, with different methods. Raises SettingsInvalid."""
    if set(one.methods) & set(other.methods):
        raise SettingsInvalid(f"MINTMARK_ISSUER_*: two of D1's calls have the path {other.template}")

    async def endpoint(request: Request) -> Answer:
        return await (one if request.method in one.methods else other).endpoint(request)

    return replace(one, endpoint=endpoint, methods=(*one.methods, *other.methods))


def of_consumers(information: ConsumerInformation) -> tuple[re.Pattern[bytes], Route]:
    """The route of what D1 asks of cardholders."""
    path = information.path
    return path.form, Route(path.template, information.tell, ("GET",), partner=True, authenticates=True)


def of_directories(directory: D1Directory, settings: Settings) -> Iterator[tuple[re.Pattern[bytes], Route]]:
    """The routes of what only an issuer's own system answers, as far as their paths are known."""
    for template, methods, endpoint in (
        (settings.issuer_otp_path, ("POST",), directory.deliver_one_time_password),
        (settings.issuer_authenticate_path, ("POST",), directory.authenticate),
        (settings.issuer_authentication_result_path, ("GET",), directory.authentication_result),
        (settings.issuer_cards_prefix + ACTIVATE, ("POST",), directory.activate),
    ):
        if template:
            path = IssuerPath.of(template)
            asked = partial(endpoint, path=path)
            yield path.form, Route(template, asked, methods, partner=True, authenticates=True)


def _issuer(issuer_side: D1Issuer, prefix: str) -> Iterator[tuple[re.Pattern[bytes], Route]]:
    for call in d1_issuer.CALLS:
        path = IssuerPath.of(prefix + call.path)
        endpoint = partial(issuer_side.notify, call=call, path=path)
        yield path.form, Route(path.template, endpoint, partner=True, authenticates=True)
