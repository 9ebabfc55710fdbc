"""Webhooks: sent after each outcome, and late, twice, never or wrong by script."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import httpx
import msgspec
from msgspec import Meta, Struct

from adapters.sandbox.authorities import authorities
from adapters.sandbox.clock import TwinClock
from adapters.sandbox.destinations import may_call
from adapters.sandbox.notifications import timestamp
from adapters.sandbox.payment_options import answers
from adapters.sandbox.payment_options.background import Background
from adapters.sandbox.payment_options.charges import Charge
from adapters.sandbox.payment_options.distortions import with_card_number
from adapters.sandbox.payment_options.faults import CANARY
from adapters.sandbox.payment_options.methods import masked

# The partner documents no retries; these waits are in its seconds.
RETRY_WAITS = (10.0, 60.0, 300.0)
ANSWER_SECONDS = 10.0
AT_ONCE = 64
KEPT = 10_000

Mode = Literal[
    "immediate", "late", "duplicate", "lost", "out-of-order", "before-answer", "tampered-amount", "card-number"
]


class Rule(Struct, rename="camel", forbid_unknown_fields=True):
    """One line of the webhooks' script."""

    mode: Mode
    reference: str = ""
    # As in the webhook: CAPTURE, PRE_AUTH, REFUND, VOID.
    transaction_type: str = ""
    # How often; 0: always.
    times: Annotated[int, Meta(ge=0)] = 1
    # `late`: the partner's seconds to wait. `out-of-order`: how long it waits at most for another one to go first.
    seconds: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    # `duplicate`: how many in all.
    copies: Annotated[int, Meta(ge=1, le=1000)] = 2
    # `tampered-amount`: what it says; empty: one more than the truth.
    amount: Annotated[str, Meta(pattern=r"^([0-9]{1,10}(\.[0-9]{1,3})?)?$")] = ""
    number: Annotated[str, Meta(pattern=r"^[0-9]{13,19}$")] = CANARY


class Rules(Struct, rename="camel", forbid_unknown_fields=True):
    """The whole script of the webhooks."""

    rules: list[Rule] = []


@dataclass(slots=True)
class Webhook:
    """One webhook until it is acknowledged or given up."""

    number: int
    charge: Charge
    url: str
    mode: str
    body: bytes
    begun: datetime
    state: str = "waiting"
    attempts: int = 0
    status: int = 0
    error: str = ""

    def document(self) -> dict[str, Any]:
        """For people."""
        parts = urlsplit(self.url)
        return {
            "number": self.number,
            "time": timestamp(self.begun),
            "transactionId": self.charge.transaction_id,
            "transactionType": self.charge.transaction_type,
            "reference": self.charge.reference,
            "outcome": self.charge.outcome,
            # The path holds the merchant's secret.
            "target": f"{parts.scheme}://{parts.netloc}",
            "mode": self.mode,
            "state": self.state,
            "attempts": self.attempts,
            "status": self.status,
            "error": self.error,
        }


class Webhooks:
    """Sends them to loopback, and to the hosts that the settings name."""

    def __init__(
        self, hosts: frozenset[str], clock: TwinClock, background: Background, now: Callable[[], datetime]
    ) -> None:
        self._hosts = hosts
        self._clock = clock
        self._background = background
        self._now = now
        self._rules: list[tuple[Rule, Counter[str]]] = []
        self._sent: deque[Webhook] = deque(maxlen=KEPT)
        self._next = 1
        self._places = asyncio.Semaphore(AT_ONCE)
        self._attempted = asyncio.Event()
        self._http: httpx.AsyncClient | None = None

    def replace(self, rules: list[Rule]) -> None:
        """From now on these rules."""
        self._rules = [(rule, Counter()) for rule in rules]

    def add(self, rules: list[Rule]) -> None:
        """More rules at the end."""
        self._rules += [(rule, Counter()) for rule in rules]

    async def before(self, charge: Charge) -> "Rule":
        """The rule of this outcome. Where it says so, the webhook is sent now, and once, before anybody is answered."""
        rule = self._rule(charge)
        if rule.mode == "before-answer":
            for webhook in self._make(charge, rule):
                if not await self._attempt(webhook):
                    self._background.start(self._deliver(webhook, retry=True))
        return rule

    def announce(self, charge: Charge, rule: Rule) -> None:
        """Sends what the rule has left to be sent, in the background."""
        if rule.mode == "before-answer":
            return
        for webhook in self._make(charge, rule):
            if webhook.state == "waiting":
                self._background.start(self._send(webhook, rule))

    async def announce_alone(self, charge: Charge) -> None:
        """An outcome that answers no call."""
        self.announce(charge, await self.before(charge))

    def documents(self) -> list[dict[str, Any]]:
        """The newest webhooks, oldest first."""
        return [webhook.document() for webhook in self._sent]

    def script(self) -> list[dict[str, Any]]:
        """The rules and how often each was followed."""
        return [
            {**msgspec.to_builtins(rule), "number": masked(rule.number), "followed": counts["followed"]}
            for rule, counts in self._rules
        ]

    async def close(self) -> None:
        """Closes the connections."""
        if self._http is not None:
            await self._http.aclose()

    def _rule(self, charge: Charge) -> Rule:
        for rule, counts in self._rules:
            if rule.times and counts["followed"] >= rule.times:
                continue
            if rule.reference not in ("", charge.reference):
                continue
            if rule.transaction_type not in ("", charge.transaction_type):
                continue
            counts["followed"] += 1
            return rule
        return Rule("immediate")

    def _make(self, charge: Charge, rule: Rule) -> list[Webhook]:
        url = charge.return_url.get("webhook_url", "")
        if not url:
            return []
        document = answers.webhook(charge)
        if rule.mode == "tampered-amount":
            told = answers.number(rule.amount) if rule.amount else answers.number(charge.amount) + 1
            document["payment_details"]["amount"] = told
        elif rule.mode == "card-number":
            with_card_number(document, rule.number)
        made = []
        for _ in range(rule.copies if rule.mode == "duplicate" else 1):
            webhook = Webhook(self._next, charge, url, rule.mode, msgspec.json.encode(document), self._now())
            self._next += 1
            if not may_call(url, self._hosts):
                webhook.state, webhook.error = "refused", "the sandbox may not call this host"
            elif rule.mode == "lost":
                webhook.state = "lost"
            self._sent.append(webhook)
            made.append(webhook)
        return made

    async def _send(self, webhook: Webhook, rule: Rule) -> None:
        if rule.mode == "late":
            await self._clock.sleep(rule.seconds)
        elif rule.mode == "out-of-order":
            await self._after_another(rule.seconds)
        await self._deliver(webhook)

    async def _after_another(self, seconds: float) -> None:
        """Waits until another webhook was sent, but not for ever."""
        another = asyncio.ensure_future(self._attempted.wait())
        longest = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({another, longest}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            another.cancel()
            longest.cancel()

    async def _deliver(self, webhook: Webhook, *, retry: bool = False) -> None:
        if not retry and await self._attempt(webhook):
            return
        for wait in RETRY_WAITS:
            webhook.state = "retrying"
            await self._clock.sleep(wait)
            if await self._attempt(webhook):
                return
        webhook.state = "given up"

    async def _attempt(self, webhook: Webhook) -> bool:
        """Whether it is settled."""
        if webhook.state == "refused":
            return True
        if self._http is None:
            self._http = httpx.AsyncClient(
                timeout=ANSWER_SECONDS, trust_env=False, follow_redirects=False, verify=authorities()
            )
        async with self._places:
            webhook.attempts += 1
            webhook.status, webhook.error = 0, ""
            try:
                async with (
                    asyncio.timeout(ANSWER_SECONDS),
                    self._http.stream(
                        "POST", webhook.url, content=webhook.body, headers={"content-type": "application/json"}
                    ) as answer,
                ):
                    webhook.status = answer.status_code
            except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
                webhook.error = type(error).__name__
        settled = 200 <= webhook.status < 300
        if settled:
            webhook.state = "acknowledged"
        attempted, self._attempted = self._attempted, asyncio.Event()
        attempted.set()
        return settled
