"""What the SIBS acquirer lists. Its documentation can be read in several ways, and each of them is understood here.

A list that is not understood must not look like one without a config, so anything odd makes all of it unreadable. Keys
are told as digests only.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from mintmark.v1 import tasks_pb2 as pb

from adapters import card_numbers
from adapters.outbound.sibs_answers import text

MOST_WEBHOOKS = 1000
MOST_METHODS = 256
# As the schema has them.
LONGEST_CODE, LONGEST_VALUE, LONGEST_EMAIL, LONGEST_ALGORITHM = 256, 8192, 1024, 256
LONGEST_CHANNEL = LONGEST_METHOD = 64


class ListUnreadable(ValueError):
    """Nobody can say what the acquirer has."""


def read(found: Mapping[str, Any], names: pb.AcquirerFieldNames) -> list[pb.ListedWebhook]:
    """The configs of an answer that is a success. Raises ListUnreadable."""
    items = list(_items(found.get("webhooks")))
    if len(items) > MOST_WEBHOOKS:
        raise ListUnreadable
    made = [_webhook(item, names) for item in items]
    if len(made) == 1 and not made[0].payment_method_codes:
        # Printed at the answer's level they are the only config's. Of several nobody knows whose they are.
        made[0].payment_method_codes.extend(_methods(found.get("paymentMethods")))
    return made


def same_code(one: str, other: str) -> bool:
    """Whether both are the same config's, with hyphens or without."""
    return one.replace("-", "").casefold() == other.replace("-", "").casefold()


def _items(webhooks: object) -> Iterator[Mapping[str, Any]]:
    """Each config of `{"webhook": [...]}`, of `[{"webhook": {...}}]`, of bare ones, and of a single one of any kind."""
    if webhooks is None or webhooks == {}:
        return
    if isinstance(webhooks, list):
        for each in webhooks:
            if not isinstance(each, dict) or not each:
                raise ListUnreadable
            yield from _items(each)
    elif isinstance(webhooks, dict) and "webhook" in webhooks:
        yield from _items(webhooks["webhook"])
    elif isinstance(webhooks, dict):
        yield webhooks
    else:
        raise ListUnreadable


def _webhook(item: Mapping[str, Any], names: pb.AcquirerFieldNames) -> pb.ListedWebhook:
    channel = _block(item, "channelTypeNotification")
    security = _block(channel, "security")
    code = _text(item, "notificationConfigurationCode", LONGEST_CODE)
    if not code:
        raise ListUnreadable
    return pb.ListedWebhook(
        notification_configuration_code=card_numbers.cut_identifier(code),
        channel_text=card_numbers.cut(_text(channel, "notificationType", LONGEST_CHANNEL)),
        value=card_numbers.cut_identifier(_text(channel, names.value, LONGEST_VALUE)),
        key_digest=key_digest(_text(security, names.key, LONGEST_VALUE)),
        support_email=card_numbers.cut_identifier(_text(security, "supportEmail", LONGEST_EMAIL)),
        algorithm=card_numbers.cut(_text(security, names.algorithm, LONGEST_ALGORITHM)),
        payment_method_codes=_methods(item.get("paymentMethods")),
    )


def key_digest(key: str) -> bytes:
    """The SHA-256 of a key's bytes; of the text where it is no key in Base64; empty where there is none."""
    if not key:
        return b""
    plain = key.strip()
    try:
        made = base64.b64decode(plain + "=" * (-len(plain) % 4), b"-_" if {"-", "_"} & set(plain) else None, True)
    except (binascii.Error, ValueError):
        made = b""
    return hashlib.sha256(made if len(made) == 32 else key.encode("utf-8", "replace")).digest()


def _methods(given: object) -> list[str]:
    """An array of objects or of texts, or a single one of them."""
    if given is None:
        return []
    items = given if isinstance(given, list) else [given]
    made = []
    for each in items:
        code = text(each.get("paymentMethodNotificationCode") if isinstance(each, dict) else each)
        if not code or len(code) > LONGEST_METHOD:
            raise ListUnreadable
        made.append(card_numbers.cut(code))
    if len(made) > MOST_METHODS:
        raise ListUnreadable
    return made


def _block(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = holder.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ListUnreadable
    return found


def _text(holder: Mapping[str, Any], name: str, longest: int) -> str:
    """Cut short it could look like something else."""
    found = text(holder.get(name))
    if found is None or len(found) > longest:
        raise ListUnreadable
    return found
