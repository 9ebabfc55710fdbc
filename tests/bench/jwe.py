"""The bare cost of a JWE, in this process and without a gateway: what Verify Card pays for opening and answering."""

import json
import time
from collections.abc import Callable
from statistics import median

from adapters.jose.encryption import JweInvalid
from adapters.jose.keys import PrivateKeys, new_key

NAME = "jwe"
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

    return {
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
