"""Payments while the partner, the network and our own processes fail: money moves at most once, and we know of it."""

from collections.abc import Callable, Iterator

import pytest

from tests.faults.payments.campaign import Plan, run, seed
from tests.faults.payments.till import Till


@pytest.fixture
def till() -> Iterator[Till]:
    made = Till(webhooks=True)
    try:
        yield made.start()
    finally:
        made.remove()


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_400_payments_and_20_kills(till: Till, figures: Callable[[str], None]) -> None:
    figures(str(run(till, Plan(seed(), payments=400, kills=20, seconds=80))))


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_400_payments_and_20_kills_on_postgresql(postgres_database: str, figures: Callable[[str], None]) -> None:
    till = Till(postgres_database, webhooks=True)
    try:
        figures(str(run(till.start(), Plan(seed(), payments=400, kills=20, seconds=80))))
    finally:
        till.remove()
