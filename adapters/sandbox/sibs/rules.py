"""Notifications by script: which are late, repeated, lost, damaged, or say something odd."""

from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from adapters.sandbox.control import ControlInvalid
from adapters.sandbox.payment_options.methods import masked
from adapters.sandbox.sibs.schedule import TRIES
from adapters.sandbox.sibs.transaction import State, Transaction

CANARY = "4012888888881881"
# Each message of these tries goes out damaged: the first `tries` of a notification, then it is whole.
DAMAGES = {
    "damaged-tag": "one bit of the tag is wrong",
    "damaged-body": "one bit of the body is wrong",
    "damaged-iv": "one bit of the IV is wrong",
    "truncated-iv": "the IV has 11 bytes",
    "truncated-tag": "the tag has 15 bytes",
    "tag-in-body": "the tag is appended to the body too",
    "old-key": "under the key that the config had before; under one that nobody knows where there was none",
    "wrong-key": "under a key that nobody knows",
    "hex": "body, IV and tag in hexadecimal, as another family of gateways has them",
    "not-base64": "the body is no Base64",
    "no-iv": "without X-Initialization-Vector",
    "no-tag": "without X-Authentication-Tag",
    "empty": "with an empty body",
}
# The plaintext is another one, in every try.
CONTENTS = {
    "number-amount": "the amount is a JSON number",
    "string-amount": "the amount is a string",
    "number-terminal": "the terminal id is a number",
    "string-terminal": "the terminal id is a string",
    "no-time": "without transactionDateTime",
    "blank-time": "transactionDateTime with milliseconds and a blank at the end",
    "no-notification-id": "without notificationID; cannot be acknowledged",
    "not-json": "the plaintext is no JSON; cannot be acknowledged",
    "duplicate-keys": "paymentStatus twice, Declined first",
    "nul": "a merchant name with U+0000 in it",
    "card-number": "`number` in fields that nobody compares",
}
DELIVERIES = {
    "duplicate": "`copies` in all, each until it is acknowledged",
    "late": "`seconds` of the acquirer's later",
    "out-of-order": "after another notification, `seconds` later at the latest",
    "lost": "never sent",
    "other-content": "a second one with the same notificationID and twice the amount",
}
MODES = {**DELIVERIES, **DAMAGES, **CONTENTS}


class Rule(Struct, rename="camel", forbid_unknown_fields=True):
    """One line of the script. What is empty fits every notification."""

    mode: str
    config: str = ""
    transaction_id: str = ""
    merchant_transaction_id: str = ""
    payment_type: str = ""
    payment_status: str = ""
    # How often; 0: always.
    times: Annotated[int, Meta(ge=0)] = 1
    probability: Annotated[float, Meta(ge=0, le=1)] = 1.0
    # How many tries of a notification are damaged.
    tries: Annotated[int, Meta(ge=1, le=TRIES)] = 1
    seconds: Annotated[float, Meta(ge=0, le=60 * 86_400)] = 60.0
    copies: Annotated[int, Meta(ge=2, le=1000)] = 2
    number: Annotated[str, Meta(pattern=r"^[0-9]{13,19}$")] = CANARY


class RuleScript(Struct, rename="camel", forbid_unknown_fields=True):
    """A whole script. The seed decides every probability."""

    seed: int = 0
    rules: list[Rule] = []


class Rules:
    """The script at work; it does not outlive a restart, what it has decided does."""

    def __init__(self) -> None:
        self._seed = 0
        self._rules: list[tuple[Rule, Counter[str]]] = []

    def replace(self, script: RuleScript) -> None:
        """From now on this script. Raises ControlInvalid and changes nothing."""
        for rule in script.rules:
            _check(rule)
        self._seed = script.seed
        self._rules = [(rule, Counter()) for rule in script.rules]

    def add(self, rules: Iterable[Rule]) -> None:
        """More rules at the end. Raises ControlInvalid and changes nothing."""
        rules = list(rules)
        for rule in rules:
            _check(rule)
        self._rules += [(rule, Counter()) for rule in rules]

    def match(self, transaction: Transaction, state: State, config_code: str, number: int) -> Rule | None:
        """The rule of a notification, the first that fits; counted."""
        for index, (rule, counts) in enumerate(self._rules):
            wanted = (
                (rule.config, config_code),
                (rule.transaction_id, transaction.transaction_id),
                (rule.merchant_transaction_id, transaction.merchant_transaction_id),
                (rule.payment_type, transaction.payment_type),
                (rule.payment_status, state.status),
            )
            if not all(given in ("", found) for given, found in wanted):
                continue
            if rule.times and counts["followed"] >= rule.times:
                continue
            if Random(f"{self._seed}/{index}/{number}").random() >= rule.probability:
                continue
            counts["followed"] += 1
            return rule
        return None

    def document(self) -> dict[str, Any]:
        """The script, and how often each rule was followed."""
        return {
            "seed": self._seed,
            "rules": [
                {**msgspec.to_builtins(rule), "number": masked(rule.number), "followed": counts["followed"]}
                for rule, counts in self._rules
            ],
        }


def _check(rule: Rule) -> None:
    if rule.mode not in MODES:
        raise ControlInvalid(f"mode: {rule.mode!r} is none of {', '.join(MODES)}")
