"""What counts as an acknowledgement: exactly one thing (contract, section 3.1)."""

from typing import Any

import msgspec

FIELDS = {"statusCode", "statusMsg", "notificationID"}
LONGEST = 64 * 1024


def flaw(status: int, content_type: str, body: bytes, notification_id: str, wanted: str) -> str:
    """Why an answer does not acknowledge; empty where it does. `wanted` is the code: `200`, `000` or `either`."""
    if status != 200:
        return f"HTTP {status}"
    if content_type.partition(";")[0].strip().lower() != "application/json":
        return "not application/json"
    try:
        document: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "the body is not JSON"
    if not isinstance(document, dict) or set(document) != FIELDS:
        return f"the body must be an object with {', '.join(sorted(FIELDS))} and nothing else"
    codes = ("200", "000") if wanted == "either" else (wanted,)
    if document["statusCode"] not in codes:
        return f"statusCode is not {' or '.join(repr(code) for code in codes)}"
    if document["statusMsg"] != "Success":
        return "statusMsg is not 'Success'"
    if not notification_id or document["notificationID"] != notification_id:
        return "notificationID is another one"
    return ""
