"""Thales D1 eCom: notify-update of a token."""

import re
from dataclasses import dataclass

from mintmark.v1 import notifications_pb2 as pb

from adapters import card_numbers
from adapters.inbound.authentication import CHALLENGE_BEARER, Authentication
from adapters.inbound.limits import Limits
from adapters.inbound.principals import Client, Principals
from adapters.inbound.problems import FORBIDDEN, NOT_FOUND, PATH_INVALID, Answer, Problem
from adapters.inbound.received import Received, store
from adapters.inbound.recorder import Recorder
from adapters.inbound.request import Request, decoded

TEMPLATE = "/merchant-gateways/{merchantGatewayId}/merchants/{merchantId}/tokens/{tokenId}/notify-update"
PATH = re.compile(rb"/merchant-gateways/([^/]*)/merchants/([^/]*)/tokens/([^/]*)/notify-update")
_IDS = tuple(re.compile(rf"[A-Za-z0-9_-]{{{length}}}") for length in ("10", "11", "1,48"))
_UPDATE_TYPE = re.compile(r"[A-Z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class D1Ecom:
    """The endpoint."""

    authentication: Authentication
    principals: Principals
    recorder: Recorder
    limits: Limits

    async def notify_update(self, request: Request) -> Answer:
        """204 once it is stored. Raises Problem and NotStored."""
        correlation_id = request.correlation
        found = PATH.fullmatch(request.raw_path)
        ids = decoded(found.groups()) if found else None
        accounts = self.principals.certificate_accounts(ids[0] if ids else "")
        sender = self.authentication.d1(request, accounts)
        request.authenticated()
        if ids is None or not all(rule.fullmatch(text) for rule, text in zip(_IDS, ids, strict=True)):
            raise Problem(PATH_INVALID)
        gateway, merchant, token = ids
        self._check_binding(sender, gateway)
        request.check_content_type(b"application/json")
        received = Received.of(await request.body(self.limits.body), correlation_id, self.limits.json_depth)
        record = pb.NotificationRecord(
            kind=pb.NOTIFICATION_KIND_D1_TOKEN_UPDATE,
            sender=sender if isinstance(sender, str) else sender.name,
            merchant_gateway_id=gateway,
            merchant_id=merchant,
            token_id=card_numbers.cut_identifier(token),
            correlation_id=correlation_id.text,
            correlation_id_given=correlation_id.given,
        )
        _read(received, record)
        if record.token_id != token:
            received.flag(pb.NOTIFICATION_FLAG_CARD_NUMBER_CUT)
            received.quarantine_cut_identifiers(record.token_id)
        return await store(self.recorder, record, received, CHALLENGE_BEARER)

    def _check_binding(self, sender: Client | str, gateway: str) -> None:
        if gateway not in self.principals.merchant_gateway_ids:
            raise Problem(NOT_FOUND)
        # Which merchants are anybody's at all, and so 404 or 403 for a merchant, is for the core to say.
        if isinstance(sender, Client) and not sender.speaks_for_gateway(gateway):
            raise Problem(FORBIDDEN)


def _read(received: Received, record: pb.NotificationRecord) -> None:
    update_type = received.mandatory("updateType", 1, 64) if not received.problem else ""
    if received.problem:
        return
    if not _UPDATE_TYPE.fullmatch(update_type):
        received.flag(pb.NOTIFICATION_FLAG_FIELD_ODD)
    record.d1_token_update.update_type = update_type
