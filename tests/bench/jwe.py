"""The bare cost of a JWE, in this process and without a gateway: what Verify Card pays for opening and answering."""

import hmac
import json
import secrets
import time
from collections.abc import Callable
from statistics import median

from adapters.jose.encryption import JweInvalid
from adapters.jose.keys import PrivateKeys, new_key

NAME = "jwe"
# The bare work of a Verify Card: what D1 sent is opened, its number hashed, what rests opened, the codes compared.
VERIFY = "verify"
CARD = json.dumps({"pan": "4" * 16, "exp": "1230", "name": "A" * 26, "cvv": "999"}).encode()
ONE_SECOND_US = 1e6


def costs(rounds: int) -> dict[str, float]:
    """Microseconds, the median of so many hundred calls each."""
    keys = PrivateKeys(json.dumps({"keys": [new_key(None)]}))
    opener, recipient = keys.opener(), keys.recipient(keys.current)
    good = recipient.encrypt(CARD)
    last = "A" if good[-1] != "A" else "Q"
    header, rest = good.split(".", 1)

    def refuse(text: str) -> Callable[[], object]:
        def call() -> None:
            try:
                opener.open(text)
            except JweInvalid:
                return
            raise AssertionError("it was opened")

        return call

    resting = recipient.encrypt(CARD)
    hash_key = secrets.token_bytes(32)

    def verify() -> None:
        asked, card = json.loads(opener.open(good).plaintext), json.loads(opener.open(resting).plaintext)
        hmac.digest(hash_key, asked["pan"].encode(), "sha256")
        assert hmac.compare_digest(asked["cvv"].encode(), card["cvv"].encode())

    return {
        VERIFY: _median_us(verify, rounds),
        "open": _median_us(lambda: opener.open(good), rounds),
        "encrypt": _median_us(lambda: recipient.encrypt(CARD), rounds),
        "refuse a forged one": _median_us(refuse(good[:-1] + last), rounds),
        "refuse a bad header": _median_us(refuse(f"{header * 6}.{rest}"), rounds),
    }


def _median_us(call: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds * 100):
        before = time.perf_counter()
        call()
        taken.append(time.perf_counter() - before)
    return median(taken) * ONE_SECOND_US
