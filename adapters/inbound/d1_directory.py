"""D1's calls that only an issuer's own system can answer: one-time passwords, authentication, physical cards.

Their bodies may hold secrets, such as the password itself: they go to the issuer's system, cut of card numbers, and are
kept nowhere.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters import card_numbers, json
from adapters.inbound.directory import AskedBy, CardDirectories, has_directory
from adapters.inbound.issuer_paths import CARD, CONSUMER, ISSUER, IssuerCallers, IssuerPath, card_of_query
from adapters.inbound.limits import Limits
from adapters.inbound.problems import FORBIDDEN, NO_CONTENT, NO_STORE, NOT_FOUND, Answer, Problem, error
from adapters.inbound.request import Request

ACTIVATE = "/issuers/{issuerId}/physicalCards/{cardId}/activate"

DEVICE, PHONE = "deviceInformation", "phoneNumber"
# ITU-T E.164, with the plus that no card number begins with.
PHONE_FORM = re.compile(r"\+[1-9](?:[ -]?[0-9]){2,14}")


@dataclass(frozen=True, slots=True)
class D1Directory:
    """The endpoints. Each raises Problem; a call is passed on once."""

    callers: IssuerCallers
    directories: CardDirectories
    limits: Limits

    async def deliver_one_time_password(self, request: Request, path: IssuerPath) -> Answer:
        """204 once the issuer's system says that it is delivered."""
        by, ids = self._asked(request, path)
        card_id = ids.get(CARD) or card_of_query(request.query)
        body = await self._body(request)
        await self.directories.deliver_one_time_password(by, ids.get(CONSUMER, ""), card_id, body)
        return NO_CONTENT

    async def authenticate(self, request: Request, path: IssuerPath) -> Answer:
        """200 with what the issuer's system answers."""
        by, ids = self._asked(request, path)
        return _told(await self.directories.authenticate(by, _others(ids), await self._body(request)))

    async def authentication_result(self, request: Request, path: IssuerPath) -> Answer:
        """200 with how the authentication stands."""
        by, ids = self._asked(request, path)
        return _told(await self.directories.authentication_result(by, _others(ids)))

    async def activate(self, request: Request, path: IssuerPath) -> Answer:
        """204 where the card is active now, also where it was before. The body may be missing."""
        by, ids = self._asked(request, path)
        body = await self._body(request, may_be_missing=True)
        await self.directories.activate_physical_card(by, ids[CARD], body)
        return NO_CONTENT

    def _asked(self, request: Request, path: IssuerPath) -> tuple[AskedBy, dict[str, str]]:
        _, ids = self.callers.known(request, path)
        account = self.callers.principals.issuer_account(ids[ISSUER])
        if account is None or not account.HasField("d1_issuer"):
            raise Problem(FORBIDDEN)
        # Nobody else knows physical cards and how to reach people; and no id of theirs is a card number.
        if not has_directory(account) or any(card_numbers.cut_identifier(each) != each for each in ids.values()):
            raise Problem(NOT_FOUND)
        return AskedBy(ids[ISSUER], request.correlation.text), ids

    async def _body(self, request: Request, *, may_be_missing: bool = False) -> str:
        """The JSON object that was sent, cut of card numbers."""
        request.check_encoding()
        body = await request.body(self.limits.body)
        if may_be_missing and not body.strip():
            return ""
        request.check_content_type(b"application/json")
        try:
            document = json.parse(card_numbers.cut_json(body), self.limits.json_depth)
            sent = json.parse(body, self.limits.json_depth)
        except json.Unreadable as unreadable:
            raise Problem(error(400, str(unreadable))) from None
        _keep_phone(document.fields, sent.fields)
        # Written anew, so that of two members of one name everybody sees the same.
        return json.written(document.fields)


def _keep_phone(cut: dict[str, Any], sent: dict[str, Any]) -> None:
    """The phone that a password may go to is left whole: one number in ten that is long enough passes for a card's."""
    device, said = cut.get(DEVICE), sent.get(DEVICE)
    if isinstance(device, dict) and isinstance(said, dict):
        phone = said.get(PHONE)
        if isinstance(phone, str) and PHONE_FORM.fullmatch(phone):
            device[PHONE] = phone


def _others(ids: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in ids.items() if name != ISSUER}


def _told(answer: bytes) -> Answer:
    length = (b"content-length", str(len(answer)).encode())
    return Answer(200, ((b"content-type", b"application/json"), length, *NO_STORE), answer)
