"""The configurations that the acquirer has: made, changed and deleted by the API, and behind a caller's back."""

import asyncio
import copy
import uuid
from typing import Any

import msgspec
from msgspec import Struct

from adapters.sandbox.control import ControlInvalid
from adapters.sandbox.payment_options.journal import Journal
from adapters.sandbox.sibs import fields
from adapters.sandbox.sibs.config import Config, Scope
from adapters.sandbox.sibs.credentials import ACQUIRER_ID, MERCHANT_ID
from adapters.sandbox.sibs.habits import Habits
from adapters.sandbox.sibs.sealing import ALGORITHM, is_key, new_key

OPERATOR = "operator"
LONGEST_CODE = 36


class Rejected(Exception):
    """The acquirer understood and says no (RJCT); nothing has changed."""


class Foreign(Struct, rename="camel", forbid_unknown_fields=True):
    """POST /configs of the control API: a config that somebody else makes. What is not given is made up."""

    value: str
    code: str = ""
    acquirer_id: str = ACQUIRER_ID
    merchant_id: str = MERCHANT_ID
    acceptor_id: str = ""
    terminal_id: str = ""
    methods: list[str] = msgspec.field(default_factory=lambda: ["CARD"])
    channel: str = fields.URL_CHANNEL
    key: str = ""
    support_email: str = ""


class Drift(Struct, rename="camel", forbid_unknown_fields=True):
    """PATCH /configs/{code} of the control API: what somebody else changes. What is not given stays."""

    value: str | None = None
    # `new` for one that nobody knows.
    key: str | None = None
    methods: list[str] | None = None
    support_email: str | None = None
    algorithm: str | None = None


class Configs:
    """A change is durable before anybody hears of it. A code is used once for all time at an acquirer."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._configs: dict[tuple[str, str], Config] = {}
        self._turn = asyncio.Lock()

    def restore(self, document: dict[str, Any]) -> None:
        """A line of an earlier run."""
        self._put(msgspec.convert(document, Config))

    def all(self) -> list[Config]:
        """Every one, those that were deleted too."""
        return list(self._configs.values())

    def live(self) -> list[Config]:
        """Those that are in force."""
        return [config for config in self._configs.values() if not config.deleted]

    def get(self, acquirer_id: str, code: str) -> Config | None:
        """One of them, deleted or not."""
        return self._configs.get((acquirer_id, code))

    def find(self, code: str) -> Config | None:
        """The one in force with that code, at any acquirer."""
        return next((config for config in self.live() if config.code == code), None)

    def listed(self, scope: Scope, habits: Habits) -> list[Config]:
        """What a list of that scope has."""
        if habits.list_scope == "within":
            return [config for config in self.live() if scope.holds(config.scope)]
        return [config for config in self.live() if config.scope == scope]

    async def create(self, wanted: Config) -> None:
        """Raises Rejected, JournalBroken."""
        async with self._turn:
            found = self.get(wanted.scope.acquirer_id, wanted.code)
            if found is not None and not found.deleted:
                raise Rejected("notificationConfigurationCode exists already")
            await self._write(_after(found, wanted))

    async def update(self, wanted: Config) -> None:
        """Raises Rejected, JournalBroken."""
        async with self._turn:
            found = self._existing(wanted)
            await self._write(_after(found, wanted))

    async def delete(self, wanted: Config) -> None:
        """Raises Rejected, JournalBroken."""
        async with self._turn:
            found = copy.deepcopy(self._existing(wanted))
            found.deleted, found.changed_by = True, wanted.changed_by
            await self._write(found)

    async def add(self, order: Foreign) -> Config:
        """Somebody else makes one. Raises ControlInvalid, JournalBroken."""
        try:
            scope = fields.scope(
                order.acquirer_id, order.merchant_id, order.acceptor_id or None, order.terminal_id or None
            )
        except fields.CallInvalid as invalid:
            raise ControlInvalid(str(invalid)) from None
        config = Config(order.code or str(uuid.uuid4()), scope, order.methods, order.channel, order.value)
        config.support_email, config.changed_by = order.support_email, OPERATOR
        if order.channel == fields.URL_CHANNEL:
            config.key, config.algorithm = order.key or new_key(), ALGORITHM
        check(config)
        try:
            await self.create(config)
        except Rejected as rejected:
            raise ControlInvalid(str(rejected)) from None
        return config

    async def drift(self, code: str, changes: Drift) -> Config | None:
        """Somebody else changes one; None where there is no such config. Raises ControlInvalid, JournalBroken."""
        async with self._turn:
            found = self.find(code)
            if found is None:
                return None
            wanted = copy.deepcopy(found)
            for name in ("value", "methods", "support_email", "algorithm", "key"):
                given = getattr(changes, name)
                if given is not None:
                    setattr(wanted, name, new_key() if (name, given) == ("key", "new") else given)
            wanted.changed_by = OPERATOR
            check(wanted)
            return await self._write(_after(found, wanted))

    async def remove(self, code: str) -> Config | None:
        """Somebody else deletes one; None where there is no such config. Raises JournalBroken."""
        async with self._turn:
            found = self.find(code)
            if found is None:
                return None
            removed = copy.deepcopy(found)
            removed.deleted, removed.changed_by = True, OPERATOR
            return await self._write(removed)

    def _existing(self, wanted: Config) -> Config:
        found = self.get(wanted.scope.acquirer_id, wanted.code)
        if found is None or found.deleted:
            raise Rejected("notificationConfigurationCode does not exist")
        if found.scope != wanted.scope:
            raise Rejected("notificationConfigurationCode belongs to another merchant, acceptor or terminal")
        return found

    async def _write(self, config: Config) -> Config:
        await self._journal.append({"config": config})
        self._put(config)
        return config

    def _put(self, config: Config) -> None:
        self._configs[config.scope.acquirer_id, config.code] = config


def check(config: Config) -> None:
    """What even somebody else cannot store. Raises ControlInvalid."""
    if not 0 < len(config.code) <= LONGEST_CODE:
        raise ControlInvalid(f"code: must be 1 to {LONGEST_CODE} characters")
    if config.channel not in {fields.URL_CHANNEL, fields.EMAIL_CHANNEL}:
        raise ControlInvalid("channel: must be URL or EMAIL")
    if not 0 < len(config.value) <= fields.VALUE_LENGTH:
        raise ControlInvalid(f"value: must be 1 to {fields.VALUE_LENGTH} characters")
    if config.channel == fields.URL_CHANNEL and not fields.is_url(config.value):
        raise ControlInvalid("value: must be a URL")
    if not config.methods or not all(0 < len(method) <= fields.METHOD_LENGTH for method in config.methods):
        raise ControlInvalid(f"methods: at least one, each of 1 to {fields.METHOD_LENGTH} characters")
    if (config.channel == fields.URL_CHANNEL) != bool(config.key) or (config.key and not is_key(config.key)):
        raise ControlInvalid("key: must be Base64 of 32 bytes, and only with channel URL")


def _after(found: Config | None, wanted: Config) -> Config:
    """What is wanted, with the keys that were there before."""
    made = copy.deepcopy(wanted)
    made.old_keys = []
    if found is not None:
        made.old_keys = list(found.old_keys)
        if found.key and found.key != wanted.key:
            made.old_keys.append(found.key)
    return made
