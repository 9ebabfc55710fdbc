"""D1 as the caller of an issuer's own operations: the ids in its path, and in whose name it may call."""

import re
from dataclasses import dataclass

from adapters.inbound.authentication import Authentication
from adapters.inbound.d1_operations import CARD_ID
from adapters.inbound.principals import Client, Principals
from adapters.inbound.problems import FORBIDDEN, NOT_FOUND, PATH_INVALID, Problem
from adapters.inbound.request import Request, decoded

FORMS = {
    "issuerId": re.compile(r"[A-Za-z0-9_-]{10}"),
    "cardId": CARD_ID,
    "consumerId": re.compile(r"[A-Za-z0-9_-]{1,64}"),
}
_PLACEHOLDER = re.compile(r"\{([A-Za-z]+)\}")


@dataclass(frozen=True, slots=True)
class IssuerPath:
    """A path with ids in it; the issuer's is the first."""

    template: str

    @property
    def form(self) -> re.Pattern[bytes]:
        """What such paths look like before percent-decoding, with a group for each id."""
        return re.compile(re.sub(r"\\\{[A-Za-z]+\\\}", "([^/]*)", re.escape(self.template)).encode())

    @property
    def names(self) -> list[str]:
        """The names of the ids."""
        return _PLACEHOLDER.findall(self.template)


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who calls (`clients/{c}` or `partnerAccounts/{a}`), and the ids of the path by name."""

    sender: str
    ids: dict[str, str]

    @property
    def issuer_id(self) -> str:
        """The issuer as D1 writes it."""
        return self.ids["issuerId"]


@dataclass(frozen=True, slots=True)
class IssuerCallers:
    """Says who calls. Whether the sender may call now is for the core to say, again, in each call."""

    authentication: Authentication
    principals: Principals

    def admitted(self, request: Request, path: IssuerPath) -> Admitted:
        """Raises Problem: 401, 403, 404 for an issuer that is not ours, 400 for ids of another form, or 503."""
        found = path.form.fullmatch(request.raw_path)
        ids = decoded(found.groups()) if found else None
        sender = self.authentication.d1(request, self.principals.issuer_certificate_accounts(ids[0] if ids else ""))
        request.authenticated()
        named = dict(zip(path.names, ids or (), strict=False))
        if ids is None or not all(FORMS[name].fullmatch(text) for name, text in named.items()):
            raise Problem(PATH_INVALID)
        issuer = named["issuerId"]
        if issuer not in self.principals.issuer_ids:
            raise Problem(NOT_FOUND)
        if isinstance(sender, Client) and not sender.speaks_for_issuer(issuer):
            raise Problem(FORBIDDEN)
        return Admitted(sender if isinstance(sender, str) else sender.name, named)
