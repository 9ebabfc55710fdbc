"""The acquirer's notifications: made for each change of a transaction's state, and kept until they are acknowledged."""

import uuid
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec

from adapters.sandbox.notifications import timestamp
from adapters.sandbox.sibs import payloads
from adapters.sandbox.sibs.calendar import Calendar
from adapters.sandbox.sibs.config import Config
from adapters.sandbox.sibs.configs import Configs
from adapters.sandbox.sibs.damage import odd_plaintext
from adapters.sandbox.sibs.fields import URL_CHANNEL
from adapters.sandbox.sibs.habits import Habits
from adapters.sandbox.sibs.notification import REQUESTED, Notification, Try
from adapters.sandbox.sibs.rules import DAMAGES, Rule, Rules
from adapters.sandbox.sibs.schedule import TRIES
from adapters.sandbox.sibs.transaction import State, Transaction

# What a mode of the script changes of the habits, for one notification.
_HABITS: dict[str, dict[str, Any]] = {
    "number-amount": {"amounts": "number"},
    "string-amount": {"amounts": "string"},
    "number-terminal": {"terminal_ids": "number"},
    "string-terminal": {"terminal_ids": "string"},
    "no-time": {"times": "absent"},
    "blank-time": {"times": "blank"},
}


class Notifications:
    """What was made, by number; the ledger is its memory."""

    def __init__(self, configs: Configs, rules: Rules, calendar: Calendar, now: Callable[[], datetime]) -> None:
        self._configs = configs
        self._rules = rules
        self._calendar = calendar
        self._now = now
        self._all: dict[int, Notification] = {}
        self._waiting: dict[int, Notification] = {}
        self._next = 1

    def restore(self, documents: Iterable[dict[str, Any]]) -> None:
        """What an earlier run made."""
        self.put(msgspec.convert(document, Notification) for document in documents)

    def restore_try(self, document: dict[str, Any]) -> None:
        """What an earlier run tried."""
        self.tried(msgspec.convert(document, Try))

    def all(self) -> list[Notification]:
        """Every one, oldest first."""
        return list(self._all.values())

    def waiting(self) -> list[Notification]:
        """Those that are to be sent, now or later."""
        return [each for each in self._waiting.values() if each.due is not None]

    def find(self, text: str) -> Notification | None:
        """By number, or the newest with that notification id."""
        if text.isascii() and text.isdigit() and len(text) <= 18:
            return self._all.get(int(text))
        return next((each for each in reversed(self._all.values()) if each.notification_id == text), None)

    def make(self, transaction: Transaction, state: State, habits: Habits) -> list[Notification]:
        """One for each config that the change is for, as the script has it. They are nothing until they are `put`."""
        configs = [
            config
            for config in self._configs.live()
            if config.channel == URL_CHANNEL
            and config.scope.holds(transaction.scope)
            and transaction.config_code in config.methods
        ]
        return self._for(configs, transaction, state, habits)

    def make_test(self, config: Config, transaction: Transaction, habits: Habits) -> list[Notification]:
        """What the test button sends: to one config, whatever its methods are."""
        return self._for([config], transaction, transaction.state, habits)

    def put(self, made: Iterable[Notification]) -> None:
        """They are in the ledger now."""
        for notification in made:
            self._all[notification.number] = self._waiting[notification.number] = notification
            self._next = max(self._next, notification.number + 1)
        self._calendar.wake()

    def tried(self, done: Try) -> None:
        """A try is in the ledger now."""
        notification = self._all[done.number]
        notification.tries.append(done)
        notification.due = done.due if notification.state == REQUESTED else None
        if notification.due is None:
            self._waiting.pop(done.number, None)
        for other in self._waiting.values():
            if other.after_another and other is not notification:
                other.after_another, other.due = False, self._calendar.now
        self._calendar.wake()

    def document(self) -> dict[str, Any]:
        """Counts."""
        requested = [each for each in self._all.values() if each.state == REQUESTED]
        return {
            "notifications": len(self._all),
            "processed": len(self._all) - len(requested),
            "waiting": len(self.waiting()),
            "givenUp": sum(each.due is None for each in requested),
        }

    def _for(self, configs: list[Config], transaction: Transaction, state: State, habits: Habits) -> list[Notification]:
        one_id = str(uuid.uuid4())
        made: list[Notification] = []
        for config in configs:
            notification_id = one_id if habits.notification_ids == "change" else str(uuid.uuid4())
            rule = self._rules.match(transaction, state, config.code, self._next)
            made += self._by(rule, config, transaction, state, notification_id, habits)
        return made

    def _by(
        self,
        rule: Rule | None,
        config: Config,
        transaction: Transaction,
        state: State,
        notification_id: str,
        habits: Habits,
    ) -> list[Notification]:
        mode = rule.mode if rule else ""
        told = msgspec.structs.replace(habits, **_HABITS.get(mode, {}))
        plaintext = payloads.encode(payloads.notification(transaction, state, notification_id, told))
        if rule is not None:
            plaintext = odd_plaintext(mode, plaintext, rule.number)
        if mode == "no-notification-id":
            notification_id = ""
        now = self._calendar.now

        def one(copy: int, text: str) -> Notification:
            made = Notification(
                number=self._next,
                notification_id=notification_id,
                transaction_id=transaction.transaction_id,
                payment_type=transaction.payment_type,
                payment_status=state.status,
                acquirer_id=config.scope.acquirer_id,
                config_code=config.code,
                plaintext=text,
                time=timestamp(self._now()),
                made=now,
                due=now,
                mode=mode,
                copy=copy,
            )
            self._next += 1
            return made

        notifications = [one(0, plaintext)]
        first = notifications[0]
        if rule is None:
            return notifications
        if mode in DAMAGES:
            first.damaged_tries = min(rule.tries, TRIES)
        elif mode in {"late", "out-of-order"}:
            first.due, first.after_another = now + rule.seconds, mode == "out-of-order"
        elif mode == "lost":
            first.due = None
        elif mode == "duplicate":
            notifications += [one(copy, plaintext) for copy in range(1, rule.copies)]
        elif mode == "other-content":
            other = msgspec.structs.replace(transaction, amount=payloads.doubled(transaction.amount))
            notifications.append(one(1, payloads.encode(payloads.notification(other, state, notification_id, told))))
        return notifications
