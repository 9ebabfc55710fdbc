"""D1 asks an issuer for a consumer (contract, section 3.10), and reads the answer as strictly as the contract says."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from adapters.sandbox.d1_calls import Answered, D1Calls
from adapters.sandbox.target import Target

ANY = re.compile(r".+", re.DOTALL)
COUNTRY_CODE = re.compile(r"\+[0-9]{1,4}")
# The members of an answer, each with the form of its text or members of its own.
MEMBERS: Mapping[str, Any] = {
    "language": re.compile(r"[a-z]{2}-[a-zA-Z]{2}"),
    "title": ANY,
    "firstName": ANY,
    "middleName": ANY,
    "lastName": ANY,
    "email": ANY,
    "dateOfBirth": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "mobilePhoneNumber": {"countryCode": COUNTRY_CODE, "phoneNumber": re.compile(r"[0-9]+")},
    "residencyAddress": {
        **dict.fromkeys(("line1", "line2", "city", "state", "zipCode"), ANY),
        "countryCode": re.compile(r"[A-Z]{2}"),
    },
}


class D1ConsumerCalls:
    """Makes the call, where the gateway has it."""

    def __init__(self, calls: D1Calls, target: Target) -> None:
        self._calls = calls
        self._target = target

    async def consumer(self, issuer_id: str, consumer_id: str, card_id: str = "", correlation_id: str = "") -> Answered:
        """GET .../consumers/{consumerId}. Raises NotConfigured."""
        place = f"/issuers/{quote(issuer_id, safe='')}/consumers/{quote(consumer_id, safe='')}"
        query = {"cardId": card_id} if card_id else None
        path = self._target.consumers_prefix + place
        return await self._calls.call("GET", path, query=query, correlation_id=correlation_id)


def unread(told: Mapping[str, Any], members: Mapping[str, Any] = MEMBERS) -> list[str]:
    """The names of what D1 could not read in an answer: not in the contract, empty, or in another form."""
    found: list[str] = []
    for name, value in told.items():
        form = members.get(name)
        if isinstance(form, re.Pattern):
            found += [] if isinstance(value, str) and form.fullmatch(value) else [name]
        elif isinstance(form, Mapping) and isinstance(value, dict) and value:
            found += [f"{name}.{each}" for each in unread(value, form)]
        else:
            found.append(name)
    return found
