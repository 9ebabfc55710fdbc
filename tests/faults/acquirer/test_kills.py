"""Core and gateway killed at random moments while the acquirer sends until it hears its acknowledgement: nothing that
was acknowledged is lost, and nothing is applied twice."""

import base64
import os
import random
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from mintmark.v1 import accounts_pb2, accounts_pb2_grpc, webhook_configs_pb2, webhook_configs_pb2_grpc

from tests.faults.acquirer import ledger
from tests.faults.acquirer.ledger import Line
from tests.faults.acquirer.sender import Sender
from tests.server.rpc.running import request_id
from tests.stack import Stack
from tests.waiting import eventually

SEED = 20261125
RECOVERY_SECONDS = 60.0
GATEWAY, MERCHANT, CONFIG = "SIBS_000001", "1000000001", "shop-1"


@pytest.fixture
def stack() -> Iterator[Stack]:
    made = Stack()
    try:
        yield made.start(60)
    finally:
        made.remove()


def opened(stack: Stack) -> bytes:
    """An account with a webhook config; the config's key. Nobody is asked for it: the acquirer of this test has it."""
    metadata, key = stack.metadata(), os.urandom(32)
    account = accounts_pb2.Account(
        account_id="sibs",
        provider=accounts_pb2.ACCOUNT_PROVIDER_SIBS,
        merchant_gateway_id=GATEWAY,
        merchant_ids=[MERCHANT],
        sibs=accounts_pb2.SibsAccount(
            base_url="http://127.0.0.1:9", acquirer_id="1", client_id="client", access_token="token"
        ),
    )
    accounts = accounts_pb2_grpc.AccountsServiceStub(stack.channel)
    accounts.ApplyAccounts(
        accounts_pb2.ApplyAccountsRequest(request_id=request_id(), accounts=[account]), metadata=metadata, timeout=10
    )
    desired = webhook_configs_pb2.DesiredWebhookConfig(
        webhook_config_id=CONFIG,
        account="partnerAccounts/sibs",
        merchant_id=MERCHANT,
        payment_method_codes=["BLIK"],
        key=base64.b64encode(key).decode(),
    )
    request = webhook_configs_pb2.CreateWebhookConfigRequest(request_id=request_id(), desired=desired)
    configs = webhook_configs_pb2_grpc.WebhookConfigsServiceStub(stack.channel)
    configs.CreateWebhookConfig(request, metadata=metadata, timeout=10)
    return key


def kill(stack: Stack, role: str) -> None:
    pid = stack.pid(role)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: restarted(stack, role, pid), RECOVERY_SECONDS, f"the restart of the {role}")


def restarted(stack: Stack, role: str, killed: int) -> bool:
    try:
        return stack.pid(role) != killed and stack.readiness().status_code == 200
    except FileNotFoundError:
        return False


def at_a_random_moment(sender: Sender, wanted: int, chance: random.Random) -> None:
    """Returns after so many acknowledgements, and up to 20 ms later."""
    eventually(lambda: sender.settled() >= wanted, RECOVERY_SECONDS, "some acknowledgements")
    moment = time.monotonic() + chance.uniform(0, 0.02)
    eventually(lambda: time.monotonic() >= moment)


def campaign(stack: Stack, kills: int, notifications: int) -> ledger.Sums:
    """Kills the two roles in turn, each while a part of the notifications is on its way."""
    sender = Sender(f"{stack.http_url}/sibs/notifications/{CONFIG}", opened(stack))
    chance = random.Random(SEED)
    settled = 0
    try:
        for number in range(kills):
            sendings = sender.begin(notifications // kills, seed=number)
            at_a_random_moment(sender, settled + chance.randrange(sendings), chance)
            kill(stack, ("core", "gateway")[number % 2])
            settled += sendings
        eventually(sender.done, RECOVERY_SECONDS, "the last acknowledgement")
        assert sender.odd == []
        assert sender.settled() == settled
        assert sender.tries > settled, "a kill has cost nobody an answer"
        lines = sender.ledger()
        sums = ledger.compare(lines, stack.channel, stack.metadata())
        would_see_a_difference(stack, lines)
        return sums
    finally:
        sender.close()


def would_see_a_difference(stack: Stack, lines: list[Line]) -> None:
    """With one notification more or less the books do not agree, or the comparison would show nothing."""
    invented = Line({**lines[0].message, "notificationID": "never sent"}, 1)
    for wrong in ([*lines, invented], lines[1:]):
        with pytest.raises(AssertionError):
            ledger.compare(wrong, stack.channel, stack.metadata())


@pytest.mark.timeout(240)
def test_core_and_gateway_killed_a_few_times(stack: Stack) -> None:
    assert campaign(stack, kills=2, notifications=120).notifications >= 120


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_core_and_gateway_killed_20_times(stack: Stack, figures: Callable[[str], None]) -> None:
    sums = campaign(stack, kills=20, notifications=2000)
    assert sums.notifications >= 2000
    figures(str(sums))
