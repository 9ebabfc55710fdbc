"""Which notifications somebody asks for: the words of a search, and of a replay that is kept."""

import json
from dataclasses import dataclass, fields
from typing import Any

from server.domain.notifications import (
    KINDS_OF,
    NotificationFlag,
    NotificationKind,
    NotificationState,
    Partner,
    QuarantineReason,
)

_WORDS: dict[str, Any] = {
    "states": NotificationState,
    "kinds": NotificationKind,
    "partners": Partner,
    "quarantine_reasons": QuarantineReason,
    "flags": NotificationFlag,
}


@dataclass(frozen=True, slots=True)
class NotificationFilter:
    """All conditions must hold; empty ones hold always. Times are microseconds, the end exclusive."""

    states: frozenset[NotificationState] = frozenset()
    kinds: frozenset[NotificationKind] = frozenset()
    merchant_gateway_id: str = ""
    merchant_id: str = ""
    token_id: str = ""
    device_id: str = ""
    correlation_id: str = ""
    partners: frozenset[Partner] = frozenset()
    sender: str = ""
    start_time: int | None = None
    end_time: int | None = None
    quarantine_reasons: frozenset[QuarantineReason] = frozenset()
    resource: str = ""
    flags: frozenset[NotificationFlag] = frozenset()
    issuer_id: str = ""
    card_id: str = ""

    @property
    def wanted_kinds(self) -> frozenset[NotificationKind] | None:
        """The kinds that both `kinds` and `partners` allow; None where neither says anything."""
        if not self.partners:
            return self.kinds or None
        of_partners = frozenset[NotificationKind]().union(*(KINDS_OF[partner] for partner in self.partners))
        return of_partners & self.kinds if self.kinds else of_partners


ANY_NOTIFICATION = NotificationFilter()


def to_text(chosen: NotificationFilter) -> str:
    """The filter as it is kept: what is empty is left out."""
    said: dict[str, Any] = {}
    for field in fields(chosen):
        value = getattr(chosen, field.name)
        if field.name in _WORDS:
            value = sorted(value)
        if value not in ("", None, []):
            said[field.name] = value
    return json.dumps(said, ensure_ascii=False)


def of_text(text: str) -> NotificationFilter:
    said = json.loads(text)
    for name, word in _WORDS.items():
        said[name] = frozenset(word(each) for each in said.get(name, ()))
    return NotificationFilter(**said)
