"""A real core, the partner's twin and dispatchers as processes: everything that moves money, over real sockets."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mintmark.v1 import payments_pb2 as pb

from adapters.cli.supervisor.probe import get
from tests.adapters.sandbox.payment_options.merchant import Merchant, merchant_of
from tests.server.rpc.paying import Shop, open_shop
from tests.server.rpc.running import RunningCore, request_id, running_core
from tests.waiting import eventually

PREFIX = "/payment-options/api/v1"
NOWHERE = "http://127.0.0.1:9"
# Short, so that what hangs is given up soon; the tests wait for nothing else.
LIMITS = {"payment_call_timeout": 3.0, "payment_send_by": 5.0, "task_lease": 9.0}
OPEN = {"PENDING", "PROCESSING"}
CHARGED = {"CAPTURED", "PARTIALLY_APPROVED", "AUTHORIZED"}
NOT_CHARGED = {"DECLINED", "NOT_CHARGED", "EXPIRED", "CANCELLED"}


class DispatcherProcess:
    """`python -m adapters dispatcher` in front of a core, with a data folder of its own for its spool."""

    def __init__(self, core: RunningCore, folder: Path, **settings: str) -> None:
        self.spool = folder / "spool"
        self.log = folder / "log"
        self._admin = core.folder / f"{folder.name}.sock"
        self._environment = {
            "PATH": os.environ["PATH"],
            "MINTMARK_DATA_DIR": str(folder),
            "MINTMARK_INTERNAL_ADDRESS": core.settings.internal_listener,
            "MINTMARK_CREDENTIALS_FILE": str(core.settings.credentials("role.dispatcher")),
            "MINTMARK_ADMIN_ADDRESS": f"unix:{self._admin}",
            # A proxy that nobody may be sent through.
            "HTTP_PROXY": NOWHERE,
            "ALL_PROXY": NOWHERE,
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "DispatcherProcess":
        self.launch()
        eventually(lambda: get(f"unix:{self._admin}", "/readyz", 5)[0] == 200, 60, "the start of the dispatcher")
        return self

    def launch(self) -> None:
        """Returns at once."""
        self.spool.parent.mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "adapters", "dispatcher"], env=self._environment, stderr=log
            )

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """As a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def stop(self) -> int:
        """As an operator does. Returns the exit code."""
        assert self._process is not None
        self._process.terminate()
        code = self._process.wait(40)
        self._process = None
        return code

    def ended(self, seconds: float = 20) -> int:
        """The exit code of one that ends by itself."""
        assert self._process is not None
        return self._process.wait(seconds)

    def spooled(self) -> list[Path]:
        return sorted(self.spool.glob("*.attempt"))

    def logged(self) -> str:
        return self.log.read_text()


class PayingHouse:
    """A shop on a core that pays at a twin."""

    def __init__(self, core: RunningCore, twin: Merchant, folder: Path) -> None:
        self.core = core
        self.twin = twin
        self.dispatcher = DispatcherProcess(core, folder / "d1")
        self.shop = self.open_shop()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What is asked for within is claimed at once, by a dispatcher of which no partner has failed yet: one that
        rests after failures would have to be waited for."""
        self.dispatcher.kill()
        hold = pb.HoldPaymentsRequest(request_id=request_id(), account=self.shop.account, reason="all at once")
        self.core.admin.payments.HoldPayments(hold)
        yield
        release = pb.ReleasePaymentsRequest(request_id=request_id(), account=self.shop.account, reason="go")
        self.core.admin.payments.ReleasePayments(release)
        self.dispatcher.start()

    def past_the_lease(self) -> None:
        """For the core every lease, and the time of every call, is over; what was to be asked for soon is asked for.
        The house needs `clock`."""
        self.shop.advance(round(LIMITS["task_lease"]) + 2)

    def open_shop(self, **options: Any) -> Shop:
        given = {
            "base_url": str(self.twin.client.base_url).rstrip("/"),
            "path_prefix": PREFIX,
            "authorization": self.twin.credentials["authorization"],
            "api_key": self.twin.credentials["x_api_key"],
            **options,
        }
        return open_shop(self.core, **given)

    def pay(self, amount: int, fault: str = "", **more: Any) -> pb.Payment:
        """A payment; the partner's answer to it goes wrong in this way."""
        if fault:
            self.twin.fault(fault, amount=str(amount), **more)
        return self.shop.create(amount)

    def reference(self, payment: pb.Payment) -> str:
        return self.shop.get(payment).operations[0].reference

    def settled(self, payment: pb.Payment, seconds: float = 40) -> str:
        """The state that it has once nothing of it is on its way."""

        def state() -> str:
            found = self.shop.state(payment)
            return "" if found in OPEN else found

        return eventually(state, seconds, f"the end of {payment.name}")

    def answered(self, payment: pb.Payment) -> bool:
        """Whether the partner has said something, or nobody waits for it any more."""
        unsaid = (pb.PAYMENT_OPERATION_STATE_PENDING, pb.PAYMENT_OPERATION_STATE_SENDING)
        return self.shop.get(payment).operations[0].state not in unsaid

    def becomes(self, payment: pb.Payment, state: str, seconds: float = 40) -> None:
        eventually(lambda: self.shop.state(payment) == state, seconds, f"{payment.name} becoming {state}")

    def sent(self, payment: pb.Payment) -> int:
        """How many requests that move money the twin has received for it."""
        return self.all_sent()[self.reference(payment)]

    def moved(self, payment: pb.Payment) -> int:
        """How often money moved for it."""
        return self.all_moved()[self.reference(payment)]

    def all_sent(self) -> Counter[str]:
        """The same of every payment, by reference."""
        return Counter(line["reference"] for line in self.twin.lines("/requests"))

    def all_moved(self) -> Counter[str]:
        """The same of every payment, by reference."""
        return Counter(line["reference"] for line in self.twin.ledger() if line["moved"])

    def check_books(self, *payments: pb.Payment) -> None:
        """The twin's ledger against the core's states: nothing twice, nothing unknown, no wrong word."""
        told = [self.shop.get(payment) for payment in payments]
        ours = {payment.operations[0].reference: payment for payment in told}
        moved = self.all_moved()
        assert set(moved) <= set(ours), "a charge that nobody asked for"
        for reference, payment in ours.items():
            state = pb.PaymentState.Name(payment.state).removeprefix("PAYMENT_STATE_")
            assert moved[reference] <= 1, f"{payment.name} was charged {moved[reference]} times"
            if state in CHARGED:
                assert moved[reference] == 1, f"{payment.name} is called {state} and was not charged"
            if state in NOT_CHARGED:
                assert moved[reference] == 0, f"{payment.name} is called {state} and was charged"


@contextmanager
def paying_house(folder: Path, speed: float = 1000, **settings: Any) -> Iterator[PayingHouse]:
    """Without a dispatcher running yet; webhooks reach nobody."""
    given = {"public_url": NOWHERE, **LIMITS, **settings}
    with running_core(**given) as core, merchant_of(folder / "twin", speed=speed) as twin:
        house = PayingHouse(core, twin, folder)
        try:
            yield house
        finally:
            house.dispatcher.kill()
