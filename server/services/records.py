"""What the gateway read of a notification, as it is kept beside the body: it can be decided again from that."""

import json
from dataclasses import fields
from operator import attrgetter
from typing import Any

from server.domain.notifications import (
    Content,
    D1IssuerOperation,
    D1TokenUpdate,
    NotificationFlag,
    NotificationKind,
    QuarantineReason,
    Record,
    TshBinding,
    TshMerchant,
    TshToken,
)

CONTENTS: dict[str, type[Content]] = {
    of.__name__: of for of in (D1TokenUpdate, TshBinding, TshToken, TshMerchant, D1IssuerOperation)
}
_FIELDS = {of: tuple(field.name for field in fields(of)) for of in CONTENTS.values()}
_TEXTS = (
    "kind",
    "sender",
    "merchant_gateway_id",
    "merchant_id",
    "token_id",
    "device_id",
    "correlation_id",
    "correlation_id_given",
    "flags",
    "quarantine_reason",
)
_texts = attrgetter(*_TEXTS)
# Of what D1 tells issuers, behind the content: records of before have none.
_OF_ISSUERS = ("issuer_id", "card_id", "digital_card_id", "consumer_id", "operation_id")


class RecordUnreadable(Exception):
    """What was kept is not a record that this version knows."""


def pack(record: Record) -> bytes:
    """The record without its body."""
    said: list[Any] = [*_texts(record), record.content_digest.hex()]
    content = record.content
    if content is not None:
        of = type(content)
        said += [of.__name__, {name: text for name in _FIELDS[of] if (text := getattr(content, name))}]
    if record.issuer_id:
        said += [] if content is not None else ["", {}]
        said.append({name: text for name in _OF_ISSUERS if (text := getattr(record, name))})
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def _content(name: str, texts: dict[str, Any]) -> Content:
    of = CONTENTS[name]
    unknown = texts.keys() - set(_FIELDS[of])
    if unknown:
        raise KeyError(*unknown)
    if of is D1IssuerOperation:
        return D1IssuerOperation(**{**texts, "digital_card_ids": tuple(texts.get("digital_card_ids", ()))})
    return of(**{field: texts.get(field, "") for field in _FIELDS[of]})


def unpack(packed: bytes) -> Record:
    """The record, with no body. Raises RecordUnreadable."""
    try:
        said = json.loads(packed)
        values: dict[str, Any] = dict(zip(_TEXTS, said, strict=False))
        values["kind"] = NotificationKind(values["kind"])
        values["flags"] = tuple(NotificationFlag(flag) for flag in values["flags"])
        reason = values["quarantine_reason"]
        values["quarantine_reason"] = QuarantineReason(reason) if reason else None
        digest, *content = said[len(_TEXTS) :]
        told = _content(*content[:2]) if content and content[0] else None
        of_issuer = content[2] if len(content) > 2 else {}
        values |= {name: of_issuer.get(name, "") for name in _OF_ISSUERS}
        return Record(body=b"", content_digest=bytes.fromhex(digest), content=told, **values)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise RecordUnreadable(type(error).__name__) from None
