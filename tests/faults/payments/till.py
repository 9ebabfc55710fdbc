"""Everything that takes a payment, in processes of its own: a core, a gateway, dispatchers and the twin of
PaymentOptions."""

import json
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from uuid import UUID

from mintmark.v1 import accounts_pb2, accounts_pb2_grpc, tokens_pb2, tokens_pb2_grpc

from adapters.cli.supervisor.probe import get
from server.keys import keyring
from tests.faults.core_process import SERVER, CoreProcess
from tests.faults.payments.partner import Partner
from tests.faults.payments.payer import GATEWAY, MERCHANT, USUAL, Payer
from tests.faults.payments.role_process import RoleProcess
from tests.stack import free_ports
from tests.waiting import eventually

ACCOUNT = "payments"
SPELLED = "00000000-0000-4000-8000-{:012d}"
DISPATCHER, WEBHOOKS_IN = ("-m", "adapters", "dispatcher"), ("-m", "adapters", "gateway")
SANDBOX = ("-m", "tests.faults.payments.noting_twin")
# Shorter than the product's, so that what takes minutes there takes seconds here; in the product's proportions.
CALL_S, SEND_BY_S, LEASE_S = 3.0, 4.0, 9.0
# The twin's pending transactions come to their end in a second.
SPEED = 60
NO_WEBHOOKS: dict[str, Any] = {"rules": [{"mode": "lost", "times": 0}]}


def spelled(outcome: int) -> str:
    """The stored payment method that has this outcome at the twin."""
    return SPELLED.format(outcome)


class Till(Payer):
    """One core (`cores[0]`, on PostgreSQL also others), its dispatchers and the twin, all on one data folder; with
    `webhooks` also a gateway, which hears of what the twin says by itself."""

    def __init__(
        self,
        database_url: str = "",
        cores: int = 1,
        settings: Mapping[str, str] = MappingProxyType({}),
        *,
        webhooks: bool = False,
    ) -> None:
        port, gateway = free_ports(2)
        environment = {
            "MINTMARK_PAYMENT_CALL_TIMEOUT": str(CALL_S),
            "MINTMARK_PAYMENT_SEND_BY": str(SEND_BY_S),
            "MINTMARK_TASK_LEASE": str(LEASE_S),
            "MINTMARK_PAYMENT_ACTION_WINDOW": "1",
            "MINTMARK_PAYMENT_RESOLVE_AFTER": "0",
            "MINTMARK_SANDBOX_SPEED": str(SPEED),
            "MINTMARK_PUBLIC_URL": f"http://127.0.0.1:{gateway}",
            **settings,
        }
        if database_url:
            environment["MINTMARK_DATABASE_URL"] = database_url
        first = CoreProcess(None, **environment)
        self.cores = [first]
        self.folder, self.data = first.folder, first.data
        # Only the cores' clock can be moved: of the others each has its own, as on machines of their own.
        self._clock, self._moved = first.folder / "clock", 0
        roles = {**first.environment}
        first.environment |= {"MINTMARK_DEVELOPMENT": "1", "MINTMARK_CLOCK_FILE": str(self._clock)}
        if database_url:
            first.environment["MINTMARK_KEYRING_FILE"] = str(first.folder / "keyring.json")
            keyring.create(first.folder / "keyring.json")
        for _ in range(cores - 1):
            self.cores.append(self._other_core(first))
        super().__init__(self.cores)
        deliveries = self.folder / "deliveries"
        self.partner = Partner(f"http://127.0.0.1:{port}/payment-options", self.data, deliveries)
        self._environment = roles
        twin = {**roles, "MINTMARK_SANDBOX_ADDRESS": f"127.0.0.1:{port}"}
        self.twin = self._role("sandbox", (*SANDBOX, str(deliveries)), twin)
        listening = {**roles, "MINTMARK_HTTP_ADDRESS": f"127.0.0.1:{gateway}"}
        self.gateway = self._role("gateway", WEBHOOKS_IN, listening) if webhooks else None
        self.dispatchers: list[RoleProcess] = []
        self.core_deaths: list[tuple[float, float]] = []

    @property
    def core(self) -> CoreProcess:
        return self.cores[0]

    def start(self, program: Sequence[str] = SERVER, dispatcher: Sequence[str] = DISPATCHER) -> "Till":
        """Returns when all but the dispatcher answer, which is starting, and the account is there."""
        self.twin.start()
        self.core.start(program)
        for other in self.cores[1:]:
            other.start()
        if self.gateway is not None:
            self.gateway.start()
        self._apply()
        self.add_dispatcher(dispatcher)
        eventually(self._twin_ready, 60, "the start of the twin")
        if self.gateway is None:
            # So no webhooks: what is in doubt stays so.
            self.partner.control("PUT", "/webhooks/rules", NO_WEBHOOKS)
        else:
            eventually(self._gateway_ready, 60, "the start of the gateway")
        return self

    def remove(self) -> None:
        for each in (*self.dispatchers, self.twin, *([self.gateway] if self.gateway else [])):
            each.kill()
        self.hang_up()
        for core in reversed(self.cores):
            core.remove()

    def kill_core(self, program: Sequence[str] = SERVER, number: int = 0) -> None:
        """Kills a core and starts it again at once."""
        began = time.time()
        self.cores[number].kill()
        self.core_deaths.append((began, time.time()))
        self.cores[number].start(program)

    def kill_twin(self) -> None:
        """The partner goes away in the middle of whatever it is at, and comes back with its books alone."""
        self.twin.kill()
        self.twin.start()
        eventually(self._twin_ready, 60, "the start of the twin")

    def deaths(self) -> list[tuple[float, float]]:
        """When a dispatcher or the twin was killed: before that, and after. What was being sent may be lost with it."""
        return [death for each in (*self.dispatchers, self.twin) for death in each.deaths]

    def move_clock(self, seconds: int) -> None:
        """For the cores it is later by so much than it was."""
        self._moved += seconds
        beside = self._clock.with_name("clock.new")
        beside.write_text(str(self._moved))
        beside.replace(self._clock)

    def add_dispatcher(self, program: Sequence[str] = DISPATCHER) -> RoleProcess:
        """One more, with a data folder of its own, as on another machine."""
        number = len(self.dispatchers) + 1
        folder = self.folder / f"dispatcher-{number}"
        (folder / "credentials").mkdir(parents=True)
        written = (self.data / "credentials" / "role.dispatcher.json").read_bytes()
        (folder / "credentials" / "role.dispatcher.json").write_bytes(written)
        core = self.cores[(number - 1) % len(self.cores)]
        environment = {
            **self._environment,
            "MINTMARK_DATA_DIR": str(folder),
            "MINTMARK_INTERNAL_ADDRESS": core.environment.get("MINTMARK_INTERNAL_ADDRESS", self._internal()),
        }
        made = self._role(f"dispatcher-{number}", program, environment)
        self.dispatchers.append(made)
        return made.start()

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
        return self.partner.answers()

    def _gateway_ready(self) -> bool:
        assert self.gateway is not None
        assert self.gateway.alive, self.gateway.log.read_text()
        return get(self.gateway.environment["MINTMARK_ADMIN_ADDRESS"], "/readyz", 5)[0] == 200

    def _apply(self) -> None:
        eventually((self.data / "credentials" / "sandbox.payment_options.json").exists, 60, "the twin's credentials")
        secrets = json.loads((self.data / "credentials" / "sandbox.payment_options.json").read_text())
        base, _, path = self.partner.url.rpartition("/")
        options = accounts_pb2.PaymentOptionsAccount(
            base_url=base,
            path_prefix=f"/{path}/api/v1",
            authorization=secrets["authorization"],
            api_key=secrets["x_api_key"],
            partner_merchant_id=secrets["merchant_id"],
            return_url_prefixes=["https://shop.example.com/checkout"],
            merchant_email="shop@testemail.com",
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
