"""Which call of the acquirer's API a method and a path are. Prefixes and version ids differ between its platforms."""

import re
from dataclasses import dataclass

PREFIX = "/sibs"
CONFIG, LIST, ACCESS_TOKEN, STATUS, SEARCH = "config", "list", "access-token", "status", "search"
# Below PREFIX: anything a platform may put in front, then the call.
_ROUTES: tuple[tuple[str, tuple[str, ...], re.Pattern[str]], ...] = tuple(
    (call, methods, re.compile(rf"^(?:/[A-Za-z0-9._~-]+)*?{path}$"))
    for call, methods, path in (
        (
            CONFIG,
            ("POST", "PUT"),
            r"/(?P<version>v[0-9]+)/acquirers/(?P<acquirer>[^/]+)/merchants/(?P<merchant>[^/]+)/terminal/webhook",
        ),
        (LIST, ("POST",), r"/(?P<version>v[0-9]+)/webhooks"),
        (ACCESS_TOKEN, ("POST",), r"/oauth2/token"),
        (SEARCH, ("GET",), r"/payments/status"),
        (STATUS, ("GET",), r"/payments/(?P<transaction>[^/]+)/status"),
    )
)


@dataclass(frozen=True, slots=True)
class Route:
    """What was called; `call` is empty where there is nothing, `allowed` has the methods where it is another one."""

    call: str
    allowed: tuple[str, ...] = ()
    acquirer_id: str = ""
    merchant_id: str = ""
    transaction_id: str = ""


def find(method: str, path: str) -> Route:
    """The call of a request; `path` without PREFIX, decoded."""
    for call, methods, pattern in _ROUTES:
        match = pattern.match(path)
        if match is None:
            continue
        if method not in methods:
            return Route("", methods)
        found = match.groupdict()
        return Route(call, methods, found.get("acquirer", ""), found.get("merchant", ""), found.get("transaction", ""))
    return Route("")
