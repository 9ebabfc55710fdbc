"""Two cores on one PostgreSQL: one request is one payment, one operation one grant, whichever core is asked."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from mintmark.v1 import payments_pb2 as pb
from mintmark.v1 import tasks_pb2 as tp

from server.core import Core
from server.keys import keyring
from server.settings import load
from tests.server.rpc.paying import SUBMIT, Shop, approved, open_shop
from tests.server.rpc.running import RunningCore, Session, code_of, request_id, running_core
from tests.waiting import eventually


class Second:
    """Another core on the same database, and the same callers at it."""

    def __init__(self, first: RunningCore, folder: Path, url: str, keys: Path) -> None:
        settings = load(
            {
                "data_dir": folder / "data",
                "grpc_address": f"unix:{folder}/p.sock",
                "admin_address": f"unix:{folder}/a.sock",
                "internal_address": f"unix:{folder}/i.sock",
                "database_url": url,
                "keyring_file": keys,
                "shutdown_timeout": 2.0,
            }
        )
        self.core = Core(settings)
        self._channels = [
            grpc.insecure_channel(settings.grpc_address),
            grpc.insecure_channel(settings.internal_listener),
        ]
        self.first = first

    def client(self, shop: Shop) -> Session:
        """Once this core has heard of the client, which may take a moment."""
        session = Session(self._channels[0], shop.client.metadata)
        listed = pb.ListPaymentsRequest(page_size=1)
        eventually(lambda: code_of(lambda: session.payments.ListPayments(listed)) == "OK", 10, "the client")
        return session

    def dispatcher(self) -> Session:
        return Session(self._channels[1], self.first.dispatcher.metadata)

    def gateway(self) -> Session:
        return Session(self._channels[1], self.first.gateway.metadata)

    def close(self) -> None:
        for channel in self._channels:
            channel.close()
        self.core.stop()


@pytest.fixture
def pair(postgres_database: str, tmp_path: Path) -> Iterator[tuple[RunningCore, Second]]:
    keys = tmp_path / "keyring.json"
    keyring.create(keys)
    with running_core(database_url=postgres_database, keyring_file=keys) as first:
        second = Second(first, tmp_path, postgres_database, keys)
        yield first, second
        second.close()


def test_one_request_at_two_cores_is_one_payment_and_one_grant(pair: tuple[RunningCore, Second]) -> None:
    first, second = pair
    shop = open_shop(first)
    sessions = (shop.client, second.client(shop))
    dispatchers = (first.dispatcher, second.dispatcher())
    for _ in range(10):
        request = shop.request()
        with ThreadPoolExecutor(2) as pool:
            meet = threading.Barrier(2)

            def create(
                session: Session, meet: threading.Barrier = meet, request: pb.CreatePaymentRequest = request
            ) -> str:
                meet.wait()
                return str(session.payments.CreatePayment(request).payment.name)

            assert len(set(pool.map(create, sessions))) == 1
        payment = shop.client.payments.CreatePayment(request).payment
        (task,) = shop.claim(SUBMIT, of=payment)
        lease = tp.TaskLease(task=task.name, fence=task.fence)
        with ThreadPoolExecutor(2) as pool:
            meet = threading.Barrier(2)

            def begin(dispatcher: Session, meet: threading.Barrier = meet, lease: tp.TaskLease = lease) -> str:
                meet.wait()
                wanted = tp.BeginAttemptRequest(request_id=request_id(), lease=lease)
                return code_of(lambda: dispatcher.tasks.BeginAttempt(wanted))

            assert sorted(pool.map(begin, dispatchers)) == ["ABORTED", "OK"]


def test_one_merchant_payment_id_at_two_cores_is_one_payment(pair: tuple[RunningCore, Second]) -> None:
    first, second = pair
    shop = open_shop(first)
    sessions = (shop.client, second.client(shop))
    for number in range(10):
        meet = threading.Barrier(2)

        def create(session: Session, meet: threading.Barrier = meet, number: int = number) -> str:
            wanted = shop.request(merchant_payment_id=f"raced-{number}")
            meet.wait()
            return code_of(lambda: session.payments.CreatePayment(wanted))

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(create, sessions)) == ["ALREADY_EXISTS", "OK"]


def test_no_task_is_claimed_twice_by_two_cores(pair: tuple[RunningCore, Second]) -> None:
    first, second = pair
    shop = open_shop(first)
    payments = [shop.create() for _ in range(30)]
    dispatchers = [first.dispatcher, second.dispatcher()] * 4

    def claim(dispatcher: Session) -> list[str]:
        found: list[str] = []
        while batch := dispatcher.tasks.ClaimTasks(tp.ClaimTasksRequest(max_tasks=3)).tasks:
            found += [task.operation for task in batch]
        return found

    with ThreadPoolExecutor(8) as pool:
        claimed = [name for batch in pool.map(claim, dispatchers) for name in batch]
    assert sorted(claimed) == sorted(payment.operations[0].name for payment in payments)


def test_a_wait_at_one_core_hears_of_what_the_other_recorded(pair: tuple[RunningCore, Second]) -> None:
    first, second = pair
    shop = open_shop(first)
    payment = shop.create()
    grant = shop.granted(payment)
    recorded = tp.RecordAttemptRequest(
        attempt=grant.attempt, outcome=tp.CallOutcome.CALL_OUTCOME_ANSWERED, answer=approved(grant)
    )
    second.dispatcher().tasks.RecordAttempt(recorded)
    assert shop.state(payment) == "CAPTURED"
