"""What the control API is told to have D1 send to a card issuer."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from adapters.sandbox import d1_issuer
from adapters.sandbox.control import ControlInvalid, Deadline
from adapters.sandbox.notifications import Notification


class SendD1Issuer(Struct, rename="camel", forbid_unknown_fields=True):
    """POST /notifications/d1-issuer/{kind}."""

    issuer_id: str = ""
    card_id: str = ""
    digital_card_id: str = ""
    # Fields of the operation, of each one in a batch; null leaves a field out. What is not given is made up.
    fields: dict[str, Any] = {}
    correlation_id: str = ""
    # How often it is sent again, a batch as a whole.
    repeat: Annotated[int, Meta(ge=0, le=1000)] = 0
    # Batches: how many good items, and how many besides that break the contract.
    count: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    bad: Annotated[int, Meta(ge=0, le=10_000)] = 0
    # Batches: then the same items in another order, with a new one, in another batch.
    regroup: bool = False
    # Our own seconds, after which the twin gives up.
    deadline: Deadline = 30.0

    def notifications(self, kind: str, now: datetime) -> list[Notification]:
        """What is to be sent. Raises ControlInvalid for what does not fit the kind."""
        is_batch = d1_issuer.KINDS[kind].is_batch
        if is_batch and (self.card_id or self.digital_card_id):
            raise ControlInvalid("cardId and digitalCardId are for single notifications; batches: in fields")
        if not is_batch and (self.count is not None or self.bad or self.regroup):
            raise ControlInvalid("count, bad and regroup are for batches")
        ids = {"issuerId": self.issuer_id, "cardId": self.card_id, "digitalCardId": self.digital_card_id}
        if not is_batch:
            return [d1_issuer.single(kind, now, ids, self.fields, self.correlation_id)]
        good = [d1_issuer.operation(kind, now, self.fields) for _ in range(1 if self.count is None else self.count)]
        items: list[Any] = [*good, *d1_issuer.bad_items(kind, now, self.bad)]
        sent = [d1_issuer.batch(kind, ids, items, self.correlation_id)]
        if self.regroup:
            sent.append(d1_issuer.batch(kind, ids, [*reversed(items), d1_issuer.operation(kind, now, self.fields)]))
        return sent
