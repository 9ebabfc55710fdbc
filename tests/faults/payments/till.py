"""Everything that takes a payment, in processes of its own: a core, dispatchers and the twin of PaymentOptions."""

import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import grpc
import httpx
from mintmark.v1 import (
    accounts_pb2,
    accounts_pb2_grpc,
    money_pb2,
    payments_pb2,
    payments_pb2_grpc,
    tokens_pb2,
    tokens_pb2_grpc,
)

from server.keys import keyring
from tests.faults.core_process import CALL_SECONDS, CHANNEL, SERVER, CoreProcess
from tests.faults.payments.role_process import RoleProcess
from tests.faults.reading import WHOLE_PAGE
from tests.server.rpc.paying import details
from tests.stack import free_ports
from tests.waiting import eventually

GATEWAY, MERCHANT, ACCOUNT = "PAY_000001", "shop-1", "payments"
USUAL = "094db781-fabc-4c6d-8fcd-18bee06a527a"
SPELLED = "00000000-0000-4000-8000-{:012d}"
DISPATCHER, SANDBOX = ("-m", "adapters", "dispatcher"), ("-m", "adapters", "sandbox")
# Shorter than the product's, so that what takes minutes there takes seconds here; in the product's proportions.
CALL_S, SEND_BY_S, LEASE_S = 3.0, 4.0, 9.0
# The twin's pending transactions come to their end in a second.
SPEED = 60
TRY_AGAIN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    # Another caller with the same `request_id` is ahead.
    grpc.StatusCode.ABORTED,
)


def spelled(outcome: int) -> str:
    """The stored payment method that has this outcome at the twin."""
    return SPELLED.format(outcome)


def token_name(method: str) -> str:
    return f"merchantGateways/{GATEWAY}/merchants/{MERCHANT}/tokens/{method}"


class Till:
    """One core (`cores[0]`, on PostgreSQL also others), its dispatchers and the twin, all on one data folder."""

    def __init__(
        self, database_url: str = "", cores: int = 1, settings: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        environment = {
            "MINTMARK_PAYMENT_CALL_TIMEOUT": str(CALL_S),
            "MINTMARK_PAYMENT_SEND_BY": str(SEND_BY_S),
            "MINTMARK_TASK_LEASE": str(LEASE_S),
            "MINTMARK_PAYMENT_ACTION_WINDOW": "1",
            "MINTMARK_PAYMENT_RESOLVE_AFTER": "0",
            "MINTMARK_SANDBOX_SPEED": str(SPEED),
            **settings,
        }
        if database_url:
            environment["MINTMARK_DATABASE_URL"] = database_url
        first = CoreProcess(None, **environment)
        self.cores = [first]
        if database_url:
            first.environment["MINTMARK_KEYRING_FILE"] = str(first.folder / "keyring.json")
            keyring.create(first.folder / "keyring.json")
        for _ in range(cores - 1):
            self.cores.append(self._other_core(first))
        self.folder, self.data = first.folder, first.data
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}/payment-options"
        twin = {**first.environment, "MINTMARK_SANDBOX_ADDRESS": f"127.0.0.1:{port}"}
        self.twin = self._role("sandbox", SANDBOX, twin)
        self.dispatchers: list[RoleProcess] = []
        self.core_deaths: list[tuple[float, float]] = []
        self._metadata: Any = ()
        self._numbers = itertools.count(1)
        # They outlive their cores' kills, as those of an internal service do.
        addresses = [core.environment["MINTMARK_GRPC_ADDRESS"] for core in self.cores]
        self._channels = [grpc.insecure_channel(address, CHANNEL) for address in addresses]

    @property
    def core(self) -> CoreProcess:
        return self.cores[0]

    def start(self, program: Sequence[str] = SERVER, dispatcher: Sequence[str] = DISPATCHER) -> "Till":
        """Returns when the core and the twin answer, the account is there, and a dispatcher is starting."""
        self.twin.start()
        self.core.start(program)
        for other in self.cores[1:]:
            other.start()
        eventually(self._twin_ready, 60, "the start of the twin")
        self._apply()
        # No gateway, so no webhooks: what is in doubt stays so.
        self.control("PUT", "/webhooks/rules", {"rules": [{"mode": "lost", "times": 0}]})
        self.add_dispatcher(dispatcher)
        return self

    def remove(self) -> None:
        for each in (*self.dispatchers, self.twin):
            each.kill()
        for channel in self._channels:
            channel.close()
        for core in reversed(self.cores):
            core.remove()

    def kill_core(self, program: Sequence[str] = SERVER, number: int = 0) -> None:
        """Kills a core and starts it again at once."""
        began = time.time()
        self.cores[number].kill()
        self.core_deaths.append((began, time.time()))
        self.cores[number].start(program)

    def dispatcher_deaths(self) -> list[tuple[float, float]]:
        """When a dispatcher was killed: before that, and after."""
        return [death for each in self.dispatchers for death in each.deaths]

    def add_dispatcher(self, program: Sequence[str] = DISPATCHER) -> RoleProcess:
        """One more, with a data folder of its own, as on another machine."""
        number = len(self.dispatchers) + 1
        folder = self.folder / f"dispatcher-{number}"
        (folder / "credentials").mkdir(parents=True)
        written = (self.data / "credentials" / "role.dispatcher.json").read_bytes()
        (folder / "credentials" / "role.dispatcher.json").write_bytes(written)
        core = self.cores[(number - 1) % len(self.cores)]
        environment = {
            **self.core.environment,
            "MINTMARK_DATA_DIR": str(folder),
            "MINTMARK_INTERNAL_ADDRESS": core.environment.get("MINTMARK_INTERNAL_ADDRESS", self._internal()),
        }
        made = self._role(f"dispatcher-{number}", program, environment)
        self.dispatchers.append(made)
        return made.start()

    # The service that pays.

    def order(self, number: int, method: str = USUAL, attempt: int = 0) -> payments_pb2.CreatePaymentRequest:
        """The order with this number; its amount is one that no other order has."""
        return payments_pb2.CreatePaymentRequest(
            request_id=str(UUID(int=(number << 16) + attempt, version=4)),
            token=token_name(method),
            merchant_payment_id=f"order-{number}",
            amount=money_pb2.Money(minor_amount=amount(number), currency_code="JPY"),
            details=details(),
        )

    def create(
        self, request: payments_pb2.CreatePaymentRequest, core: int = 0, seconds: float = 120
    ) -> payments_pb2.Payment:
        """Repeats the call until it is answered. Raises grpc.RpcError where it is refused."""
        answer: payments_pb2.CreatePaymentResponse = self.call(
            payments_pb2_grpc.PaymentsServiceStub, "CreatePayment", request, core, seconds
        )
        return answer.payment

    def call(self, stub: Any, method: str, request: Any, core: int = 0, seconds: float = 120) -> Any:
        """Repeats the call until it is answered, for as long as the core is away."""

        def answers() -> list[Any]:
            try:
                return [self.call_once(stub, method, request, core)]
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                    self._metadata = ()
                elif error.code() not in TRY_AGAIN:
                    raise
                return []

        return eventually(answers, seconds, f"an answer to {method}")[0]

    def call_once(self, stub: Any, method: str, request: Any, core: int = 0) -> Any:
        if not self._metadata:
            self._metadata = self.core.metadata()
        return getattr(stub(self._channels[core]), method)(request, metadata=self._metadata, timeout=CALL_SECONDS)

    def get(self, name: str) -> payments_pb2.Payment:
        request = payments_pb2.GetPaymentRequest(name=name)
        answer: payments_pb2.GetPaymentResponse = self.call(
            payments_pb2_grpc.PaymentsServiceStub, "GetPayment", request
        )
        return answer.payment

    def payments(self) -> list[payments_pb2.Payment]:
        """All payments, with their operations."""
        stub, token, names = payments_pb2_grpc.PaymentsServiceStub, "", []
        while True:
            request = payments_pb2.ListPaymentsRequest(page_size=WHOLE_PAGE, page_token=token)
            page = self.call(stub, "ListPayments", request)
            names += [each.name for each in page.payments]
            token = page.next_page_token
            if not token:
                break
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(self.get, names))

    def evidence(self, name: str) -> list[payments_pb2.PaymentEvidence]:
        request = payments_pb2.ListPaymentEvidenceRequest(name=name, page_size=WHOLE_PAGE)
        answer = self.call(payments_pb2_grpc.PaymentsServiceStub, "ListPaymentEvidence", request)
        return list(answer.evidence)

    def resolve(self, payment: str, transaction: str = "", request_id: str = "") -> payments_pb2.Payment:
        """An operator's word: charged as `transaction`, or not charged."""
        charged, not_charged = payments_pb2.PAYMENT_RESOLUTION_CHARGED, payments_pb2.PAYMENT_RESOLUTION_NOT_CHARGED
        request = payments_pb2.ResolvePaymentRequest(
            request_id=request_id or str(UUID(int=(1 << 64) + next(self._numbers), version=4)),
            name=payment,
            resolution=charged if transaction else not_charged,
            partner_transaction_id=transaction,
            reason="found out by telephone",
        )
        answer = self.call(payments_pb2_grpc.PaymentsServiceStub, "ResolvePayment", request)
        found: payments_pb2.Payment = answer.payment
        return found

    def release(self) -> int:
        """How many accounts an operator lets send again."""
        request = payments_pb2.ReleasePaymentsRequest(
            request_id=str(UUID(int=(1 << 64) + next(self._numbers), version=4)), reason="looked at"
        )
        return int(self.call(payments_pb2_grpc.PaymentsServiceStub, "ReleasePayments", request).released_count)

    # The partner.

    def control(self, method: str, path: str, document: Any = None) -> Any:
        """A call of the twin's control API."""
        answer = httpx.request(method, f"{self.url}/control{path}", json=document, timeout=30, trust_env=False)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def charges(self) -> list[dict[str, Any]]:
        """The twin's ledger, from its fsynced file: the newest line of each transaction."""
        newest = {line["transactionId"]: line for line in _lines(self._books() / "ledger.jsonl")}
        return list(newest.values())

    def moved(self) -> list[dict[str, Any]]:
        """The transactions by which money moved."""
        return [charge for charge in self.charges() if charge["moved"]]

    def requests(self) -> list[dict[str, Any]]:
        """What reached the twin and asked it to move money, as it is known last; not what broke off before its body."""
        newest = {line["number"]: line for line in _lines(self._books() / "requests.jsonl")}
        return [each for each in newest.values() if each["endpoint"] == "payment" and each["reference"]]

    def _books(self) -> Path:
        return self.data / "sandbox" / "payment-options"

    def _other_core(self, first: CoreProcess) -> CoreProcess:
        other = CoreProcess(None)
        own = {name: other.environment[name] for name in ("MINTMARK_GRPC_ADDRESS", "MINTMARK_ADMIN_ADDRESS")}
        internal = f"unix:{other.folder / 'internal.sock'}"
        other.environment = {**first.environment, **own, "MINTMARK_INTERNAL_ADDRESS": internal}
        return other

    def _internal(self) -> str:
        return f"unix:{self.data / 'run' / 'internal.sock'}"

    def _role(self, name: str, program: Sequence[str], environment: dict[str, str]) -> RoleProcess:
        admin = {"MINTMARK_ADMIN_ADDRESS": f"unix:{self.folder / f'{name}.sock'}"}
        return RoleProcess(self.folder / f"{name}.log", {**environment, **admin}, program)

    def _twin_ready(self) -> bool:
        assert self.twin.alive, self.twin.log.read_text()
        try:
            return bool(self.control("GET", "/state"))
        except httpx.TransportError:
            return False

    def _apply(self) -> None:
        secrets = json.loads((self.data / "credentials" / "sandbox.payment_options.json").read_text())
        base, _, path = self.url.rpartition("/")
        options = accounts_pb2.PaymentOptionsAccount(
            base_url=base,
            path_prefix=f"/{path}/api/v1",
            authorization=secrets["authorization"],
            api_key=secrets["x_api_key"],
            partner_merchant_id=secrets["merchant_id"],
            return_url_prefixes=["https://shop.example.com/checkout"],
        )
        account = accounts_pb2.Account(
            account_id=ACCOUNT,
            provider=accounts_pb2.ACCOUNT_PROVIDER_PAYMENT_OPTIONS,
            mode=accounts_pb2.ACCOUNT_MODE_TEST,
            merchant_gateway_id=GATEWAY,
            payment_options=options,
        )
        applied = accounts_pb2.ApplyAccountsRequest(request_id=str(UUID(int=1, version=4)), accounts=[account])
        self.call(accounts_pb2_grpc.AccountsServiceStub, "ApplyAccounts", applied)
        tokens = [
            tokens_pb2.TokenImport(
                merchant_gateway_id=GATEWAY,
                merchant_id=MERCHANT,
                token_id=method,
                provider=tokens_pb2.TOKEN_PROVIDER_PAYMENT_OPTIONS,
            )
            for method in (USUAL, *(spelled(each) for each in SPELLED_OUTCOMES))
        ]
        imported = tokens_pb2.ImportTokensRequest(request_id=str(UUID(int=2, version=4)), tokens=tokens)
        self.call(tokens_pb2_grpc.TokensServiceStub, "ImportTokens", imported)


# Insufficient funds, partial approval, unclear but charged, unclear and declined, HTTP 500 but charged, pending and
# then charged, pending and then declined.
DECLINED, PARTIAL, UNCLEAR_CHARGED, UNCLEAR, BROKEN_CHARGED, PENDING_CHARGED, PENDING_DECLINED = SPELLED_OUTCOMES = (
    70_051,
    70_010,
    72_676,
    70_676,
    76_500,
    72_578,
    70_578,
)
FIRST_AMOUNT = 1_000


def amount(number: int) -> int:
    """The amount of the order with this number. Even, so that half of it is one as well."""
    return FIRST_AMOUNT + 2 * number


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    content = file.read_text() if file.exists() else ""
    return (json.loads(line) for line in content.splitlines(keepends=True) if line.endswith("\n"))
