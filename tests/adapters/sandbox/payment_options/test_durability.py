"""Money moves when its line is synced, and nobody hears of it before."""

import os
import threading
from collections.abc import Iterator

import pytest

from tests.adapters.sandbox.payment_options.merchant import Merchant
from tests.waiting import eventually


class Disk:
    """Holds every sync until it is let go, or fails it."""

    def __init__(self) -> None:
        self.held = threading.Event()
        self.go_on = threading.Event()
        self.broken = False
        self.sync = os.fdatasync

    def __call__(self, descriptor: int) -> None:
        if self.broken:
            raise OSError
        self.held.set()
        self.go_on.wait(20)
        self.sync(descriptor)


@pytest.fixture
def disk(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    made = Disk()
    monkeypatch.setattr(os, "fdatasync", made)
    yield made
    made.go_on.set()


@pytest.mark.parametrize("fault", ["", "status", "hang", "drip-headers"])
def test_no_byte_of_an_answer_before_the_sync(merchant: Merchant, disk: Disk, fault: str) -> None:
    if fault:
        merchant.fault(fault, seconds=0)
    answered = threading.Event()
    webhooks: list[object] = []

    def pay() -> None:
        with merchant.client.stream(
            "POST",
            "/payment-options/api/v1/server-to-server-interface/payment",
            json=merchant.order(),
            headers=merchant.headers,
        ) as answer:
            answered.set()
            answer.read()

    thread = threading.Thread(target=pay)
    thread.start()
    assert disk.held.wait(20)
    # It has come, and nothing is decided.
    received = merchant.lines("/requests")
    webhooks += merchant.lines("/webhooks")
    assert [each["decided"] for each in received] == [False]
    assert not answered.is_set()
    assert webhooks == []
    disk.go_on.set()
    assert answered.wait(20)
    thread.join()
    eventually(lambda: merchant.lines("/requests")[0]["moved"])


def test_a_disk_that_fails_ends_all_charging(merchant: Merchant, disk: Disk) -> None:
    disk.go_on.set()
    assert merchant.paid()
    disk.broken = True
    assert [merchant.pay().status_code for _ in range(2)] == [500, 500]
    disk.broken = False
    # What the ledger holds is unknown now: it must be read anew first.
    assert merchant.pay().status_code == 500
    assert {each["answer"] for each in merchant.lines("/requests")[1:]} == {"ambiguous"}
