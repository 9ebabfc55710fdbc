"""Messages as they go out, whole or damaged in the way that a rule says."""

import base64
import secrets

import msgspec

from adapters.sandbox.sibs.sealing import Sealed, new_key, seal

IV_HEADER, TAG_HEADER = "X-Initialization-Vector", "X-Authentication-Tag"


def message(mode: str, key: str, old_key: str, plaintext: bytes) -> tuple[dict[str, str], bytes]:
    """Headers and body of one try; a mode that damages nothing gives a whole message, under a fresh IV each time."""
    if mode in {"old-key", "wrong-key"}:
        key = old_key if mode == "old-key" and old_key else new_key()
    sealed = _bent(mode, seal(key, plaintext))
    headers = {IV_HEADER: sealed.iv, TAG_HEADER: sealed.tag}
    if mode == "no-iv":
        del headers[IV_HEADER]
    elif mode == "no-tag":
        del headers[TAG_HEADER]
    return headers, sealed.body.encode()


def odd_plaintext(mode: str, plaintext: str, number: str) -> str:
    """The plaintext with what a rule says about its content; `number` is a card number to be put where none belongs."""
    match mode:
        case "not-json":
            return "<notification>Success</notification>"
        case "duplicate-keys":
            return '{"paymentStatus":"Declined",' + plaintext.removeprefix("{")
    document = msgspec.json.decode(plaintext, type=dict[str, msgspec.Raw])
    match mode:
        case "no-notification-id":
            document.pop("notificationID")
        case "nul":
            document["merchantNote"] = msgspec.Raw(b'"a\\u0000b\\ud800"')
        case "card-number":
            spaced = " ".join(number[start : start + 4] for start in range(0, len(number), 4))
            card = {"number": number, "spaced": spaced, "digits": int(number), "track2": f"{number}=34121010000012345"}
            document["customer"] = msgspec.Raw(
                msgspec.json.encode({"customerName": f"JOHN DOE {number}", "card": card})
            )
            document["token"] = msgspec.Raw(msgspec.json.encode({"tokenType": "Card", "value": number}))
        case _:
            return plaintext
    return msgspec.json.encode(document).decode()


def _bent(mode: str, sealed: Sealed) -> Sealed:
    body, iv, tag = (base64.b64decode(part) for part in (sealed.body, sealed.iv, sealed.tag))
    match mode:
        case "damaged-tag":
            tag = _flipped(tag)
        case "damaged-body":
            body = _flipped(body)
        case "damaged-iv":
            iv = _flipped(iv)
        case "truncated-iv":
            iv = iv[:-1]
        case "truncated-tag":
            tag = tag[:-1]
        case "tag-in-body":
            body += tag
        case "hex":
            return Sealed(body.hex(), iv.hex(), tag.hex())
        case "not-base64":
            return Sealed("!" + sealed.body[1:], sealed.iv, sealed.tag)
        case "empty":
            body = b""
    return Sealed(*(base64.b64encode(part).decode() for part in (body, iv, tag)))


def _flipped(part: bytes) -> bytes:
    """One bit of it is another one."""
    place = secrets.randbelow(len(part))
    return part[:place] + bytes([part[place] ^ (1 << secrets.randbelow(8))]) + part[place + 1 :]
