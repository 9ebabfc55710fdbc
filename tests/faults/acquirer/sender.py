"""The acquirer, as far as kills are concerned: it encrypts, repeats, loses its order, and sends until it hears exactly
the acknowledgement."""

import base64
import json
import os
import random
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.faults.acquirer.ledger import Line
from tests.plain import PLAIN
from tests.server.rpc.running import request_id

CONCURRENCY = 8
# What a twin's clock makes minutes of: a pause between two tries.
PAUSE_SECONDS = 0.05
LONGEST_SECONDS = 120.0


def messages(count: int, chance: random.Random) -> list[dict[str, Any]]:
    """About so many notifications: transactions that are first pending and then paid or declined, and refunds, which
    have ids of their own; in any order."""
    made: list[dict[str, Any]] = []
    while len(made) < count:
        transaction_id, minute = request_id(), chance.randrange(60)
        amount = f"{chance.randrange(1, 1000)}.{chance.randrange(100):02}"
        kind = chance.choice(("PURS", "PURS", "PURS", "RFND"))
        states = ("Pending", chance.choice(("Success", "Success", "Declined"))) if kind == "PURS" else ("Success",)
        for second, state in enumerate(states):
            made.append(
                {
                    "returnStatus": {"statusMsg": "Success", "statusCode": "000"},
                    "paymentStatus": state,
                    "paymentMethod": "BLIK",
                    "transactionID": transaction_id,
                    "transactionDateTime": f"2026-03-12T10:{minute:02}:{second:02}Z",
                    "amount": {"currency": "PLN", "value": amount},
                    "merchant": {"transactionId": f"order-{transaction_id[:8]}", "terminalId": 50994},
                    "paymentType": kind,
                    "notificationID": request_id(),
                }
            )
    chance.shuffle(made)
    return made


class Sender:
    """Sends to one webhook config, from several threads."""

    def __init__(self, url: str, key: bytes) -> None:
        self._url = url
        self._cipher = AESGCM(key)
        self._pool = ThreadPoolExecutor(CONCURRENCY)
        self._sendings: list[Future[None]] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._acknowledged: Counter[str] = Counter()
        self._messages: dict[str, dict[str, Any]] = {}
        self.tries = 0
        self.odd: list[str] = []

    def begin(self, count: int, seed: int) -> int:
        """Begins to send about so many, one in four twice; how many sendings that is."""
        chance = random.Random(seed)
        made = messages(count, chance)
        repeated = [*made, *chance.sample(made, len(made) // 4)]
        chance.shuffle(repeated)
        for message in repeated:
            self._messages[message["notificationID"]] = message
            self._sendings.append(self._pool.submit(self._send, message))
        return len(repeated)

    def settled(self) -> int:
        return sum(self._acknowledged.values())

    def done(self) -> bool:
        for sending in self._sendings:
            if sending.done():
                sending.result()
        return all(sending.done() for sending in self._sendings)

    def ledger(self) -> list[Line]:
        with self._lock:
            return [Line(self._messages[each], count) for each, count in self._acknowledged.items()]

    def close(self) -> None:
        self._stopping.set()
        self._pool.shutdown(cancel_futures=True)

    def _send(self, message: dict[str, Any]) -> None:
        notification_id = message["notificationID"]
        wanted = json.dumps(
            {"statusCode": "200", "statusMsg": "Success", "notificationID": notification_id}, separators=(",", ":")
        ).encode()
        until = time.monotonic() + LONGEST_SECONDS
        with httpx.Client(trust_env=False, timeout=10, verify=PLAIN) as client:
            while not self._stopping.is_set():
                assert time.monotonic() < until, "no acknowledgement"
                answer = self._try(client, message)
                if answer is not None and (answer.status_code, answer.content) == (200, wanted):
                    with self._lock:
                        self._acknowledged[notification_id] += 1
                    return
                if answer is not None and answer.status_code != 503:
                    self.odd.append(f"{answer.status_code} {answer.text}")
                self._stopping.wait(PAUSE_SECONDS)

    def _try(self, client: httpx.Client, message: dict[str, Any]) -> httpx.Response | None:
        iv = os.urandom(12)
        both = self._cipher.encrypt(iv, json.dumps(message).encode(), None)
        headers = {
            "content-type": "text/plain",
            "x-initialization-vector": base64.b64encode(iv).decode(),
            "x-authentication-tag": base64.b64encode(both[-16:]).decode(),
        }
        with self._lock:
            self.tries += 1
        try:
            return client.post(self._url, content=base64.b64encode(both[:-16]), headers=headers)
        except httpx.TransportError:
            return None
