"""One purchase, capture, void or refund at a time, over which the core or a dispatcher gets a signal at a place."""

import itertools
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import grpc
from mintmark.v1 import payments_pb2 as pb

from tests.faults.payments.books import operation_state, settled, wrong
from tests.faults.payments.partner import key_of_operation
from tests.faults.payments.payer import PAYMENTS
from tests.faults.payments.till import DISPATCHER, LEASE_S, NO_WEBHOOKS, Till
from tests.waiting import eventually

# Shorter than a campaign's: each kill costs a call that takes too long. A lease has to be longer than a claim may wait
# (5 s), because the dispatcher counts it from before its claim.
QUICK = {"MINTMARK_PAYMENT_CALL_TIMEOUT": "1.5", "MINTMARK_PAYMENT_SEND_BY": "2", "MINTMARK_TASK_LEASE": "6"}
# A dispatcher whose core dies in the middle of a grant asks again for as long as it may send.
PATIENT = {"MINTMARK_PAYMENT_CALL_TIMEOUT": "1", "MINTMARK_PAYMENT_SEND_BY": "20", "MINTMARK_TASK_LEASE": "20"}
SETTLING_S = 120.0
# What has come to its last place is dead a moment later.
DYING_S = 2.0
GRANTED, KEPT = "after BeginAttempt", "after replace"
ANSWERED = "http11.receive_response_body.complete"
DONE, OPEN = "SUCCEEDED", "IN_DOUBT"
# With a claim only, with a grant, sent, answered, kept, and kept and about to be told.
FEW = (
    "after ClaimTasks",
    GRANTED,
    "http11.send_request_headers.complete",
    ANSWERED,
    KEPT,
    "before RecordAttempt",
)
SUBJECTS = ("purchase", "capture", "void", "refund", "subscription", "page")
FIRST = ("purchase", "subscription", "page")
# How much later the partner's list is looked into, and once more.
LOOKS_S = (11, 61)
# What has to be done before.
BEFORE = {"capture": "authorize", "void": "authorize", "refund": "create"}
# Far from the numbers of a campaign on the same till.
FIRST_NUMBER = 10_000
SIGNALLED_DISPATCHER = ("-m", "tests.faults.payments.signalled_dispatcher")
SIGNALLED_CORE = ("-m", "tests.faults.payments.signalled_core")


class Sweep:
    """A till on which one `subject` after the other is done. What it follows is made ready some at a time."""

    def __init__(self, till: Till, subject: str = "purchase", first: int = FIRST_NUMBER) -> None:
        self.till = till
        self.subject = subject
        self._numbers = itertools.count(first)
        self._ready: list[str] = []

    def start(self) -> "Sweep":
        """From now on nothing but the calls of the dispatcher tells what happened."""
        self.till.partner.control("PUT", "/webhooks/rules", NO_WEBHOOKS)
        self.till.partner.control("DELETE", "/faults")
        return self

    def prepare(self, count: int) -> None:
        """So many payments that the subject can follow, done by a dispatcher that nothing disturbs."""
        before = BEFORE.get(self.subject)
        if before is None:
            return
        ask: Callable[[pb.CreatePaymentRequest], pb.Payment] = getattr(self.till, before)
        with ThreadPoolExecutor(8) as pool:
            made = list(
                pool.map(lambda number: ask(self.till.order(number)).name, itertools.islice(self._numbers, count))
            )
        eventually(lambda: all(self.stands(name, DONE) for name in made), SETTLING_S, "what is to be followed")
        self._ready += made

    def ask(self) -> str:
        """Asks for the subject. The name of its payment."""
        if self.subject in FIRST:
            asks = {"purchase": self.till.create, "subscription": self.till.subscribe, "page": self.till.page}
            return asks[self.subject](self.till.order(next(self._numbers))).name
        if not self._ready:
            raise AssertionError("nothing is prepared")
        name = self._ready.pop()
        number = next(self._numbers)
        # Each amount is another one.
        return self.till.follow(self.subject, name, 0 if self.subject == "void" else number).name

    def state(self, name: str) -> str:
        """That of the subject."""
        return operation_state(self.till.get(name).operations[-1])

    @property
    def done(self) -> str:
        """What has become of the subject where nothing disturbs it: a page waits for the payer."""
        return "REQUIRES_ACTION" if self.subject == "page" else DONE

    def stands(self, name: str, state: str) -> bool:
        return self.state(name) == state

    def charged(self, name: str) -> list[str]:
        """The transactions of the subject, from the partner's books."""
        payment = self.till.get(name)
        lines = self.till.partner.lines()[key_of_operation(payment, payment.operations[-1])]
        return [line["transactionId"] for line in lines if line["moved"]]

    def sent(self, name: str) -> int:
        """How often the partner was asked for the subject."""
        payment = self.till.get(name)
        return len(self.till.partner.asked()[key_of_operation(payment, payment.operations[-1])])

    def agree(self) -> None:
        assert not (found := wrong(self.till)), found

    def places(self) -> list[str]:
        """Those that the dispatcher passes with one subject when nobody is killed."""
        file = self.armed()
        self._dispatch(file, 0)
        name = self.ask()
        eventually(lambda: self.stands(name, self.done), SETTLING_S, "a subject that nothing disturbs")
        eventually(lambda: file.read_text().endswith("after unlink\n"), SETTLING_S, "the end of its file")
        self.agree()
        return file.read_text().splitlines()

    def kill_dispatcher(self, at: int, places: Sequence[str], tries: int = 5) -> str:
        """Kills it at a place, starts it again, and holds what has to become of the subject. Its state."""
        file = self.armed()
        self._dispatch(file, at)
        dispatcher = self.till.dispatchers[0]
        name = self.ask()
        eventually(
            lambda: not dispatcher.alive or self._passed(name, file), SETTLING_S, f"the kill at {places[at - 1]}"
        )
        with suppress(AssertionError):
            eventually(lambda: not dispatcher.alive, DYING_S)
        killed = not dispatcher.alive
        if killed:
            dispatcher.ended()
        passed = file.read_text().splitlines()
        # Whatever it had claimed, or was granted, is over.
        self.till.move_clock(round(LEASE_S) + 1)
        self.undisturbed()
        eventually(lambda: settled(self.till.get(name)), SETTLING_S, "the end of the subject")
        self.agree()
        granted, kept = places.index(GRANTED) + 1, places.index(KEPT) + 1
        expected = OPEN if granted <= at < kept else self.done
        if not (killed and passed == places[:at]) and tries:
            # On a slow machine something took too long, and it went another way.
            self.prepare(1)
            return self.kill_dispatcher(at, places, tries - 1)
        if self.subject == "subscription" and expected == OPEN and self.charged(name):
            # The partner lists it, and asking for its transaction settles it.
            expected = DONE
            for later in LOOKS_S:
                self.till.move_clock(later)
        # An answer from the spool may come a moment after the doubt.
        eventually(lambda: self.stands(name, expected), SETTLING_S, f"{expected} after {places[at - 1]}")
        assert self.sent(name) <= 1
        self.agree()
        return expected

    def kill_core(self, at: int) -> str:
        """Kills it at a place of a subject and starts it again. Which it was: empty where there are not so many."""
        core, file = self.till.core, self.till.folder / f"places-{next(self._numbers)}"
        self.prepare(1)
        core.kill()
        core.start((*SIGNALLED_CORE, str(file), str(at), "SIGKILL"))
        armed = Path(f"{file}.armed")
        armed.touch()
        with ThreadPoolExecutor(1) as pool:
            paying = pool.submit(self.ask)
            eventually(lambda: self._dead() or self._over(paying), SETTLING_S, "a kill, or the end of the subject")
            armed.unlink()
            killed = self._dead()
            if killed:
                assert core.ended() == -signal.SIGKILL, core.log.read_text()
                core.kill()
                core.start()
            name = paying.result()
        eventually(lambda: settled(self.till.get(name)), SETTLING_S, "the end of the subject")
        passed = file.read_text().splitlines()
        assert self.stands(name, self.done), f"{passed}: {self.till.evidence(name)}"
        self.agree()
        return passed[at - 1] if killed else ""

    def undisturbed(self) -> None:
        """The first dispatcher again, as it is in the product."""
        dispatcher = self.till.dispatchers[0]
        dispatcher.kill()
        dispatcher.program = DISPATCHER
        dispatcher.start()

    def armed(self) -> Path:
        """A new file for places."""
        file = self.till.folder / f"places-{next(self._numbers)}"
        Path(f"{file}.armed").touch()
        return file

    def _passed(self, name: str, file: Path) -> bool:
        """Whether the dispatcher has done with the subject, as far as it goes."""
        over = settled(self.till.get(name))
        return over and (self.stands(name, OPEN) or file.read_text().endswith("after unlink\n"))

    def _dead(self) -> bool:
        process = self.till.core.process
        return process is not None and process.poll() is not None

    def _over(self, paying: Future[str]) -> bool:
        if not paying.done():
            return False
        request = pb.GetPaymentRequest(name=paying.result())
        try:
            answer = self.till.call_once(PAYMENTS, "GetPayment", request)
        except grpc.RpcError:
            return False
        return settled(answer.payment)

    def _dispatch(self, file: Path, at: int) -> None:
        dispatcher = self.till.dispatchers[0]
        dispatcher.kill()
        dispatcher.program = (*SIGNALLED_DISPATCHER, str(file), str(at), "SIGKILL")
        dispatcher.start()
