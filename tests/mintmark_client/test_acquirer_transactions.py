"""client.acquirer_transactions, against a real core."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from mintmark_client import Client, NotFound, PreconditionFailed
from tests.house.tree import ROOT
from tests.server.rpc.acquiring import open_merchant
from tests.server.rpc.running import RunningCore, request_id, running_core


@pytest.fixture(scope="module")
def core() -> Iterator[RunningCore]:
    with running_core() as running:
        yield running


def test_transactions_are_read_and_asked_for(core: RunningCore) -> None:
    merchant = open_merchant(core, payments_base_url="https://api.example.com")
    silent = open_merchant(core)
    names = sorted(merchant.name_of(merchant.tell()) for _ in range(3))
    unasked = silent.name_of(silent.tell())
    created = core.create(
        ["acquirer_transactions.read", "acquirer_transactions.write"], [merchant.gateway, silent.gateway]
    )
    client_id, secret = created.client.client_id, created.client_secret
    with Client(core.settings.grpc_address, client_id=client_id, client_secret=secret) as client:
        transactions = client.acquirer_transactions
        listed = list(transactions.list(account=merchant.account, page_size=2))
        assert [each.name for each in listed] == names
        assert transactions.get(names[0]) == listed[0]
        assert [each.state_text for each in transactions.reports(name=names[0])] == ["Success"]
        own = request_id()
        first = transactions.refresh(names[0], request_id=own)
        assert first.query_pending
        assert transactions.refresh(names[0], request_id=own) == first
        with pytest.raises(NotFound):
            transactions.get("acquirerTransactions/nothing")
        with pytest.raises(PreconditionFailed) as caught:
            transactions.refresh(unasked)
        assert caught.value.reason == "STATUS_QUERY_NOT_POSSIBLE"


def test_the_readmes_example_tells_what_was_paid(core: RunningCore) -> None:
    section = (
        (ROOT / "README.md").read_text().partition("\n### Transactions at the acquirer\n")[2].partition("\n## ")[0]
    )
    (example,) = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    defined: dict[str, Any] = {}
    exec(example, defined)  # noqa: S102  the README's own words
    merchant = open_merchant(core)
    merchant.tell(merchant={"transactionId": "order-8"}, paymentType="RFND")
    merchant.tell(merchant={"transactionId": "order-9"})
    created = core.create(["acquirer_transactions.read"], [merchant.gateway])
    client_id, secret = created.client.client_id, created.client_secret
    with Client(core.settings.grpc_address, client_id=client_id, client_secret=secret) as client:
        assert [defined["paid"](client, order) for order in ("order-8", "order-9")] == [False, True]
