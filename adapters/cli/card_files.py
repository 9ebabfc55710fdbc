"""Card data from a file or stdin: read, checked and encrypted here, never sent or shown in clear."""

import json
import re
from pathlib import Path
from typing import Any

from adapters.cli.private_files import private_text
from adapters.cli.refusals import Refused, Violation, usage
from adapters.cli.session import Session

LONGEST = 4096
# The members of card data in a JWE, the form of each, and that form in words.
MEMBERS = {
    "pan": (re.compile(r"[0-9]{10,19}", re.ASCII), "must have 10 to 19 digits"),
    "exp": (re.compile(r"(0[1-9]|1[0-2])[0-9]{2}", re.ASCII), "must be MMYY"),
    "name": (re.compile(r".{1,128}", re.DOTALL), "must have 1 to 128 characters"),
    "cvv": (re.compile(r"[0-9]{3,4}", re.ASCII), "must have 3 or 4 digits"),
    "auxiliaryPan": (re.compile(r"[0-9]{10,19}", re.ASCII), "must have 10 to 19 digits"),
    "auxiliaryExp": (re.compile(r"(0[1-9]|1[0-2])[0-9]{2}", re.ASCII), "must be MMYY"),
}
MANDATORY = ("pan", "exp")


def read_card(file: Path) -> bytes:
    """The card data as the plaintext of a JWE; `-` is stdin.

    Raises Refused: for a file that others may read, and for what is not card data, without showing any of it.
    """
    document = _document(private_text(file, LONGEST, "card data"))
    wrong = [Violation(name, text) for name, text in _wrong(document)]
    if wrong:
        raise Refused("nothing was sent: the card data is not as it must be", violations=tuple(wrong))
    return json.dumps(document).encode()


def encrypted(session: Session, card: bytes) -> str:
    """The card data as a JWE for the key that the gateways have published. Raises Refused."""
    from mintmark.v1 import card_keys_pb2, card_keys_pb2_grpc

    from adapters.jose.encryption import Recipient
    from adapters.jose.public_keys import KeyInvalid

    stub = card_keys_pb2_grpc.CardKeysServiceStub(session.channel)
    keys = session.call(stub.GetCardKeys, card_keys_pb2.GetCardKeysRequest()).card_keys
    if not keys:
        raise Refused(
            "no gateway has published a key to encrypt card data for",
            "see whether a gateway runs that has keys for cards (MINTMARK_CARD_KEYS_FILE)",
        )
    try:
        return Recipient.from_jwk(keys[0].jwk_json, keys[0].kid).encrypt(card)
    except KeyInvalid as invalid:
        raise Refused(str(invalid)) from None


def _document(text: str) -> dict[str, Any]:
    from adapters.jose.strict import json_object

    wanted = 'card data is one JSON object, such as {"pan": "...", "exp": "1230"}, with each name once'
    try:
        if len(text) <= LONGEST:
            return json_object(text)
    except ValueError:
        pass
    raise usage(wanted)


def _wrong(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and what is wrong with them. Names that we don't know could be a card number: they are not repeated."""
    wrong = [(name, "is missing") for name in MANDATORY if name not in document]
    for name, value in document.items():
        form = MEMBERS.get(name)
        if form is None:
            wrong.append(("another name", f"there is no such member; known are {', '.join(MEMBERS)}"))
        elif not isinstance(value, str) or not form[0].fullmatch(value):
            wrong.append((name, f"{form[1]}, as a text"))
    if ("auxiliaryPan" in document) != ("auxiliaryExp" in document):
        wrong.append(("auxiliaryPan", "belongs together with auxiliaryExp"))
    return wrong
