"""The gateway's side of issuers' own systems, in the tests' process."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from mintmark.v1 import accounts_pb2, principals_pb2
from mintmark.v1.card_verifications_pb2 import CardVerificationAnswer
from prometheus_client import CollectorRegistry

from adapters.clock import Clock
from adapters.inbound.directory import AskedBy, CardDirectories
from adapters.inbound.directory_failures import DirectoryFailure, DirectoryUnavailable
from adapters.inbound.directory_metrics import DirectoryMetrics
from adapters.inbound.directory_tls import DirectoryTls
from adapters.inbound.principals import Principals
from adapters.jose.keys import PrivateKeys, new_key
from tests.adapters.inbound.fake_directory import FakeDirectory

ISSUER = "ISSUER0001"
BY = AskedBy(ISSUER, "c-1")
CARD = {"pan": "4111111111111111", "exp": "1230", "name": "INÊS", "cvv": "123"}
T = TypeVar("T")


class Asking:
    """CardDirectories, on a loop of its own and with a clock that tests move."""

    def __init__(self, directory: FakeDirectory) -> None:
        self.directory = directory
        self.now = 1000.0
        self.keys = PrivateKeys(json.dumps({"keys": [new_key("ours")]}))
        self.registry = CollectorRegistry()
        self.principals = Principals(Clock(monotonic=lambda: self.now))
        self.state(directory.account(ISSUER))
        self._runner = asyncio.Runner()
        self.directories = CardDirectories(
            self.principals,
            self.keys.opener().open,
            DirectoryTls(),
            DirectoryMetrics(self.registry),
            monotonic=lambda: self.now,
        )

    def state(self, *accounts: accounts_pb2.Account) -> None:
        """The core says which accounts there are."""
        self.principals.apply(
            principals_pb2.WatchPrincipalsResponse(snapshot=True, snapshot_complete=True, accounts=accounts)
        )

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(call)

    def verify(self, card: dict[str, str] | None = None) -> CardVerificationAnswer:
        return self.run(self.directories.verify_card(BY, "proposed", "411111", CARD if card is None else card))

    def fails(self, kind: type[DirectoryFailure] = DirectoryUnavailable, issuer_id: str = ISSUER) -> DirectoryFailure:
        with pytest.raises(DirectoryFailure) as failed:
            self.run(self.directories.consumer(AskedBy(issuer_id, "c-1"), "consumer-7", ""))
        assert type(failed.value) is kind
        return failed.value

    def counted(self, method: str, outcome: str) -> float:
        labels = {"method": method, "outcome": outcome}
        return self.registry.get_sample_value("mintmark_directory_calls_total", labels) or 0

    def resting(self) -> float | None:
        return self.registry.get_sample_value("mintmark_directory_breakers_open")

    def close(self) -> None:
        self.run(self.directories.close())
        self._runner.close()
