"""Checks of what a caller sends to the configuration API, by the contract's tables of fields."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from adapters.sandbox.sibs.config import Config, Scope
from adapters.sandbox.sibs.habits import Habits
from adapters.sandbox.sibs.sealing import ALGORITHM, is_key

DIGITS = re.compile(r"^[0-9]+$", re.ASCII)
EMAIL = re.compile(r"^[^@\s]+@[^@\s]+$")
URL = re.compile(r"^https?://[!-~]+$")
ACQUIRER_LENGTH, ID_LENGTH = 25, 10
METHOD_LENGTH, VALUE_LENGTH, EMAIL_LENGTH, ALGORITHM_LENGTH = 15, 2048, 256, 70
INSERT, DELETE = "INS", "DEL"
# What goes with the other channel.
URL_CHANNEL, EMAIL_CHANNEL = "URL", "EMAIL"


class CallInvalid(Exception):
    """The call breaks a rule of the contract; nothing has happened. The text names the field, and no value."""


def parse(body: bytes | None) -> dict[str, Any]:
    """The body's JSON object; None is a body that was too long. Raises CallInvalid."""
    if body is None:
        raise CallInvalid("the body is too long")
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise CallInvalid("the body is not JSON") from None
    if not isinstance(document, dict):
        raise CallInvalid("the body is not a JSON object")
    return document


def scope(acquirer_id: str, merchant_id: str, acceptor_id: str | None, terminal_id: str | None) -> Scope:
    """The scope from path and query, or from a list's body. Raises CallInvalid."""
    return Scope(
        numeric("acquirerId", acquirer_id, ACQUIRER_LENGTH),
        numeric("merchantId", merchant_id, ID_LENGTH),
        "" if acceptor_id is None else numeric("acceptorId", acceptor_id, ID_LENGTH),
        "" if terminal_id is None else numeric("terminalId", terminal_id, ID_LENGTH),
    )


def list_scope(document: Mapping[str, Any]) -> Scope:
    """The scope that a list asks for. Raises CallInvalid."""
    optional = {
        name: None if document.get(name) is None else text(document, name, ID_LENGTH)
        for name in ("acceptorId", "terminalId")
    }
    acquirer_id, merchant_id = text(document, "acquirerId", ACQUIRER_LENGTH), text(document, "merchantId", ID_LENGTH)
    return scope(acquirer_id, merchant_id, optional["acceptorId"], optional["terminalId"])


def operation(document: Mapping[str, Any], *, update: bool) -> str:
    """INS, or DEL where something is there to be deleted. Raises CallInvalid."""
    found = text(document, "requestOperationType", 3)
    if found != INSERT and not (update and found == DELETE):
        raise CallInvalid("requestOperationType: must be INS" + (" or DEL" if update else ""))
    return found


def config(document: Mapping[str, Any], where: Scope, habits: Habits) -> Config:
    """What a create or update asks for. Raises CallInvalid."""
    code = text(document, "notificationConfigurationCode", habits.longest_code)
    channel = document.get("channelTypeNotification")
    if not isinstance(channel, Mapping):
        raise CallInvalid("channelTypeNotification: must be an object")
    kind = text(channel, "notificationType", 5, "channelTypeNotification.")
    value = text(channel, habits.value_name, VALUE_LENGTH, "channelTypeNotification.")
    made = Config(code, where, methods(document), kind, value)
    security = channel.get("security")
    if kind == URL_CHANNEL:
        if not is_url(value):
            raise CallInvalid(f"channelTypeNotification.{habits.value_name}: must be a URL")
        if not isinstance(security, Mapping):
            raise CallInvalid("channelTypeNotification.security: must be an object with type URL")
        return _secured(made, security, habits)
    if kind != EMAIL_CHANNEL:
        raise CallInvalid("channelTypeNotification.notificationType: must be URL or EMAIL")
    if not EMAIL.match(value):
        raise CallInvalid(f"channelTypeNotification.{habits.value_name}: must be an e-mail address")
    if security is not None:
        raise CallInvalid("channelTypeNotification.security: only with type URL")
    return made


def _secured(made: Config, security: Mapping[str, Any], habits: Habits) -> Config:
    prefix = "channelTypeNotification.security."
    key = text(security, habits.key_name, 44, prefix)
    if not is_key(key):
        raise CallInvalid(f"{prefix}{habits.key_name}: must be Base64 of 32 bytes")
    if text(security, habits.algorithm_name, ALGORITHM_LENGTH, prefix) != ALGORITHM:
        raise CallInvalid(f"{prefix}{habits.algorithm_name}: must be {ALGORITHM}")
    made.key, made.algorithm = key, ALGORITHM
    if security.get("supportEmail") is not None:
        made.support_email = text(security, "supportEmail", EMAIL_LENGTH, prefix)
        if not EMAIL.match(made.support_email):
            raise CallInvalid(f"{prefix}supportEmail: must be an e-mail address")
    return made


def methods(document: Mapping[str, Any]) -> list[str]:
    """The payment methods; codes that nobody knows are fine. Raises CallInvalid."""
    given = document.get("paymentMethods")
    if not isinstance(given, list) or not given:
        raise CallInvalid("paymentMethods: must be an array with at least one item")
    found: list[str] = []
    for index, item in enumerate(given):
        if not isinstance(item, Mapping):
            raise CallInvalid(f"paymentMethods[{index}]: must be an object")
        code = text(item, "paymentMethodNotificationCode", METHOD_LENGTH, f"paymentMethods[{index}].")
        if code not in found:
            found.append(code)
    return found


def is_url(value: str) -> bool:
    """Whether it is an absolute http or https URL."""
    try:
        parts = urlsplit(value)
        return URL.match(value) is not None and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def numeric(name: str, value: str, longest: int) -> str:
    """A text of digits. Raises CallInvalid."""
    if not DIGITS.match(value) or len(value) > longest:
        raise CallInvalid(f"{name}: must be 1 to {longest} digits")
    return value


def text(document: Mapping[str, Any], name: str, longest: int, prefix: str = "") -> str:
    """A text that must be there. Raises CallInvalid."""
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise CallInvalid(f"{prefix}{name}: must be a text")
    if len(value) > longest:
        raise CallInvalid(f"{prefix}{name}: must be at most {longest} characters")
    return value
