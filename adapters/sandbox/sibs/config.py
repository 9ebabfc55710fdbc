"""A webhook configuration as the acquirer keeps it."""

import hashlib
from typing import Any

from msgspec import Struct

from adapters.sandbox.sibs.habits import Habits


class Scope(Struct, frozen=True, rename="camel"):
    """For which transactions: those of a merchant, of one of its acceptors (stores), or of one terminal."""

    acquirer_id: str
    merchant_id: str
    acceptor_id: str = ""
    terminal_id: str = ""

    def holds(self, other: "Scope") -> bool:
        """Whether `other` lies within this one."""
        if (self.acquirer_id, self.merchant_id) != (other.acquirer_id, other.merchant_id):
            return False
        return self.acceptor_id in ("", other.acceptor_id) and self.terminal_id in ("", other.terminal_id)


class Config(Struct, rename="camel"):
    """One of them. The keys that it had before are kept for notifications that were first sent under them."""

    code: str
    scope: Scope
    methods: list[str]
    channel: str
    value: str
    key: str = ""
    support_email: str = ""
    algorithm: str = ""
    old_keys: list[str] = []
    deleted: bool = False
    # Who wrote it last: the API, or somebody else by the control API.
    changed_by: str = "api"

    @property
    def key_number(self) -> int:
        """Which of its keys is current, from 0."""
        return len(self.old_keys)

    def keyed(self, number: int) -> str:
        """The key of that number."""
        return self.key if number >= len(self.old_keys) else self.old_keys[number]

    def wire(self, habits: Habits, *, methods: bool = True) -> dict[str, Any]:
        """As a list answers it, with its key as the real one."""
        channel: dict[str, Any] = {"notificationType": self.channel, habits.value_name: self.value}
        if self.key:
            channel["security"] = {habits.key_name: self.key}
            if self.support_email:
                channel["security"]["supportEmail"] = self.support_email
            channel["security"][habits.algorithm_name] = self.algorithm
        document: dict[str, Any] = {"notificationConfigurationCode": self.code}
        if methods:
            document["paymentMethods"] = coded(self.methods)
        return {**document, "channelTypeNotification": channel}

    def document(self) -> dict[str, Any]:
        """For people: of the key only enough to see whether it is the same."""
        return {
            "code": self.code,
            "acquirerId": self.scope.acquirer_id,
            "merchantId": self.scope.merchant_id,
            "acceptorId": self.scope.acceptor_id,
            "terminalId": self.scope.terminal_id,
            "methods": self.methods,
            "channel": self.channel,
            "value": self.value,
            "keyNumber": self.key_number if self.key else None,
            "keyFingerprint": hashlib.sha256(self.key.encode()).hexdigest()[:12] if self.key else "",
            "supportEmail": self.support_email,
            "algorithm": self.algorithm,
            "deleted": self.deleted,
            "changedBy": self.changed_by,
        }


def coded(methods: list[str]) -> list[dict[str, str]]:
    """Payment methods as the API has them."""
    return [{"paymentMethodNotificationCode": method} for method in methods]
