"""The paths of D1's calls to card issuers, and who makes the calls."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs

from adapters import card_numbers
from adapters.inbound import d1_operations as operations
from adapters.inbound.authentication import Authentication
from adapters.inbound.principals import Client, Principals
from adapters.inbound.problems import FORBIDDEN, NOT_FOUND, PATH_INVALID, Problem, error
from adapters.inbound.request import Request, decoded

ISSUER, CONSUMER, CARD = "issuerId", "consumerId", "cardId"
QUERY_INVALID = error(400, "cardId is not in the documented format")
_FORMS = {
    ISSUER: re.compile(r"[A-Za-z0-9_-]{10}"),
    CARD: operations.CARD_ID,
    "digitalCardId": re.compile(r"[A-Za-z0-9_-]{1,64}"),
    CONSUMER: re.compile(r"[A-Za-z0-9_-]{1,64}"),
}
# Of ids that no public document knows.
_OTHER = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_PLACEHOLDER = re.compile(r"\\\{[A-Za-z]+\\\}")


@dataclass(frozen=True, slots=True)
class IssuerPath:
    """What paths of one template look like before percent-decoding, with a group for each id."""

    template: str
    form: re.Pattern[bytes]
    names: tuple[str, ...]

    @classmethod
    def of(cls, template: str) -> Self:
        form = re.compile(_PLACEHOLDER.sub("([^/]*)", re.escape(template)).encode())
        return cls(template, form, tuple(re.findall(r"\{([A-Za-z]+)\}", template)))

    def ids(self, raw_path: bytes) -> dict[str, str] | None:
        """The ids of a path by their names; None where one is not UTF-8."""
        found = self.form.fullmatch(raw_path)
        ids = decoded(found.groups()) if found else None
        return None if ids is None else dict(zip(self.names, ids, strict=True))


def has_form(name: str, text: str) -> bool:
    """Whether an id is in its documented format."""
    return bool(_FORMS.get(name, _OTHER).fullmatch(text))


def card_of_query(query: bytes) -> str:
    """The query's `cardId`; empty where there is none. Raises Problem: 400."""
    try:
        given = parse_qs(query.decode("utf-8"), errors="strict").get(CARD, [])
    except ValueError:
        raise Problem(QUERY_INVALID) from None
    if not given:
        return ""
    if len(given) > 1 or not has_form(CARD, given[0]) or card_numbers.cut_identifier(given[0]) != given[0]:
        raise Problem(QUERY_INVALID)
    return given[0]


@dataclass(frozen=True, slots=True)
class IssuerCallers:
    """Who may call for an issuer."""

    authentication: Authentication
    principals: Principals

    def known(self, request: Request, path: IssuerPath) -> tuple[str, dict[str, str]]:
        """Who calls, `clients/{c}` or `partnerAccounts/{a}`, and the ids of the path.

        Raises Problem: 401 or 503 as Authentication.d1, 400 for a path that breaks its pattern, 404 for an issuer that
        is not ours, 403 for one that the caller may not speak for.
        """
        ids = path.ids(request.raw_path)
        accounts = self.principals.issuer_certificate_accounts(ids[ISSUER] if ids else "")
        sender = self.authentication.d1(request, accounts)
        request.authenticated()
        if ids is None or not all(has_form(name, text) for name, text in ids.items()):
            raise Problem(PATH_INVALID)
        if ids[ISSUER] not in self.principals.issuer_ids:
            raise Problem(NOT_FOUND)
        if isinstance(sender, Client) and not sender.speaks_for_issuer(ids[ISSUER]):
            raise Problem(FORBIDDEN)
        return sender if isinstance(sender, str) else sender.name, ids
