"""A merchant of a running twin."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.sandbox.payment_options.merchant import Merchant, merchant_of
from tests.adapters.sandbox.payment_options.receiver import Receiver


@pytest.fixture
def merchant(tmp_path: Path) -> Iterator[Merchant]:
    """With a twin of its own."""
    with merchant_of(tmp_path) as made:
        yield made


@pytest.fixture
def receiver(merchant: Merchant) -> Iterator[Receiver]:
    """Takes the merchant's webhooks."""
    made = Receiver()
    merchant.webhook_url = made.url
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def shared_merchant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Merchant]:
    """With a twin for calls that get along with each other: use references of your own."""
    with merchant_of(tmp_path_factory.mktemp("twin")) as made:
        yield made
