"""What has to change so that webhook configs are as somebody desires them, and why it cannot be."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from server.domain import names, payment_options, sibs_accounts, webhook_keys
from server.domain.accounts import Account
from server.domain.refusals import WebhookDeleteNotPossible
from server.domain.sibs_accounts import Sibs
from server.domain.violations import FieldsInvalid
from server.domain.webhook_configs import (
    ALGORITHM,
    GOING,
    TOLD,
    Channel,
    Presence,
    Wanted,
    WebhookConfig,
    WebhookConfigState,
)
from server.domain.webhook_keys import WebhookKey

EMAIL = re.compile(r"[!-?A-~]{1,64}@[!-?A-~]{1,190}")
Violation = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Desired:
    """What somebody desires of a config. `key` is empty where none is given; `key_digest` goes with it."""

    webhook_config_id: str
    account: str
    merchant_id: str
    acceptor_id: str
    terminal_id: str
    channel: Channel
    value: str
    payment_method_codes: tuple[str, ...]
    support_email: str
    acknowledgement_status_code: str
    key: bytes = b""
    key_digest: bytes = b""

    @property
    def name(self) -> str:
        return names.webhook_config(self.webhook_config_id)


@dataclass(frozen=True, slots=True)
class Held:
    """A config with its keys."""

    config: WebhookConfig
    keys: tuple[WebhookKey, ...]

    @property
    def key(self) -> WebhookKey | None:
        return webhook_keys.current(self.keys)


class WebhookConfigAction(StrEnum):
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    REAPPLY = "REAPPLY"
    DELETE = "DELETE"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class WebhookConfigChange:
    """One line of a plan. `desired` and `wanted` are None where the config is deleted."""

    webhook_config: str
    action: WebhookConfigAction
    fields: tuple[str, ...] = ()
    held: Held | None = None
    desired: Desired | None = None
    wanted: Wanted | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a plan is made in: the account, where notifications reach us, what the caller may see, and what is there of
    that. `taken` are names of configs of other accounts, `key_owners` the configs that have keys of these digests."""

    account: Account
    sibs: Sibs
    own_address: Callable[[str], str]
    sees: Callable[[str], bool]
    held: Mapping[str, Held]
    taken: frozenset[str]
    key_owners: Mapping[bytes, str]


def resolved(desired: Desired, around: Surroundings) -> Wanted:
    """What follows from what is desired, with what stands for what was left empty."""
    url = desired.channel is Channel.URL
    return Wanted(
        channel=desired.channel,
        value=desired.value or (around.own_address(desired.webhook_config_id) if url else ""),
        payment_method_codes=desired.payment_method_codes,
        support_email=(desired.support_email or around.sibs.support_email) if url else "",
        algorithm=ALGORITHM if url else "",
        acknowledgement_status_code=desired.acknowledgement_status_code or around.sibs.acknowledgement_status_code,
    )


def violations(desired: Desired, around: Surroundings, where: str) -> list[Violation]:
    """What is wrong with one desired config."""
    found: list[Violation] = []
    account = around.account
    if desired.account not in ("", account.name):
        found.append((f"{where}.account", f"is another account than {account.name}", "account"))
    if not desired.webhook_config_id:
        found.append((f"{where}.webhook_config_id", "must be given", "required"))
    elif desired.name in around.taken:
        found.append((f"{where}.webhook_config_id", "is taken", "unique"))
    if not desired.merchant_id:
        found.append((f"{where}.merchant_id", "must be given", "required"))
    elif not _may_have(desired.merchant_id, around):
        found.append((f"{where}.merchant_id", "is not one of the account's merchants", "merchant"))
    if not desired.payment_method_codes:
        found.append((f"{where}.payment_method_codes", "must have at least one", "required"))
    beside = (*_channel_violations(desired, around), *_held_violations(desired, around))
    found += [(f"{where}.{field}", text, rule) for field, text, rule in beside]
    owner = around.key_owners.get(desired.key_digest)
    if desired.key and owner is not None and owner != desired.name:
        found.append((f"{where}.key", "is in use by another config; a key serves one only", "unique"))
    return found


def _may_have(merchant_id: str, around: Surroundings) -> bool:
    ours = around.account.merchant_ids
    return (not ours or merchant_id in ours) and around.sees(merchant_id)


def _channel_violations(desired: Desired, around: Surroundings) -> list[Violation]:
    if desired.channel is Channel.EMAIL:
        found = []
        if not EMAIL.fullmatch(desired.value):
            found.append(("value", "must be an e-mail address with EMAIL", "email"))
        if desired.support_email:
            found.append(("support_email", "only with URL", "channel"))
        if desired.key:
            found.append(("key", "only with URL", "channel"))
        return found
    if not desired.value:
        problem = sibs_accounts.webhook_url_problem(around.own_address(desired.webhook_config_id))
        return [("value", f"our own address {problem} (MINTMARK_PUBLIC_URL); give another", "url")] if problem else []
    if problem := sibs_accounts.webhook_url_problem(desired.value):
        return [("value", problem, "url")]
    if not payment_options.allows_return(around.sibs.webhook_url_prefixes, desired.value):
        return [("value", "is not within the account's webhook_url_prefixes", "webhook_url_prefixes")]
    return []


def _held_violations(desired: Desired, around: Surroundings) -> list[Violation]:
    held = around.held.get(desired.name) if desired.webhook_config_id else None
    if held is None:
        return []
    config, found = held.config, []
    if config.state in GOING:
        return [("webhook_config_id", f"is {config.state}; choose another", "state")]
    for field in ("merchant_id", "acceptor_id", "terminal_id"):
        if getattr(desired, field) != getattr(config, field):
            text = "cannot be changed: delete the config and create another"
            found.append((field, text, "immutable"))
    retired = {key.digest for key in held.keys if key.retire_time is not None}
    if desired.key and desired.key_digest in retired:
        found.append(("key", "was replaced by another; leave it out, or give a new one", "unique"))
    return found


def change_of(desired: Desired, around: Surroundings) -> WebhookConfigChange:
    """What one desired config, of which nothing is wrong, makes of what is there."""
    wanted = resolved(desired, around)
    held = around.held.get(desired.name)
    if held is None:
        return WebhookConfigChange(desired.name, WebhookConfigAction.CREATE, (), None, desired, wanted)
    before = held.config.wanted
    compared = (*TOLD, "acknowledgement_status_code")
    fields = tuple(field for field in compared if getattr(before, field) != getattr(wanted, field))
    if desired.key and (held.key is None or held.key.digest != desired.key_digest):
        fields += ("key",)
    action = WebhookConfigAction.UPDATE
    if not fields:
        action = WebhookConfigAction.NONE
        if held.config.state in (WebhookConfigState.DRIFTED, WebhookConfigState.REJECTED):
            action = WebhookConfigAction.REAPPLY
            fields = tuple(each.field for each in held.config.differences)
    return WebhookConfigChange(desired.name, action, fields, held, desired, wanted)


def plan(
    desired: Sequence[Desired], around: Surroundings, *, delete_missing: bool, where: str = "desired"
) -> tuple[WebhookConfigChange, ...]:
    """What must change, in the order of the names. Raises FieldsInvalid with everything that is wrong, and
    WebhookDeleteNotPossible."""
    wrong: list[Violation] = []
    seen_names: set[str] = set()
    seen_keys: set[bytes] = set()
    for place, each in enumerate(desired):
        at = f"{where}[{place}]"
        wrong += violations(each, around, at)
        if each.webhook_config_id and each.name in seen_names:
            wrong.append((f"{at}.webhook_config_id", "is stated twice", "unique"))
        seen_names.add(each.name)
        if each.key and each.key_digest in seen_keys:
            wrong.append((f"{at}.key", "is stated twice; a key serves one config only", "unique"))
        seen_keys.add(each.key_digest)
    if wrong:
        raise FieldsInvalid(wrong)
    changes = [change_of(each, around) for each in desired]
    if delete_missing:
        for name, held in around.held.items():
            if name in seen_names or held.config.state in GOING:
                continue
            check_deletable(held.config, around.sibs)
            changes.append(WebhookConfigChange(name, WebhookConfigAction.DELETE, (), held))
    return tuple(sorted(changes, key=lambda change: change.webhook_config))


def check_deletable(config: WebhookConfig, sibs: Sibs | None) -> None:
    """Raises WebhookDeleteNotPossible."""
    if config.presence is not Presence.ABSENT and not (sibs and sibs.delete_by_update):
        raise WebhookDeleteNotPossible(config.name)


def needs_call(change: WebhookConfigChange) -> bool:
    """Whether the acquirer has to be asked: the acknowledgement's status code is ours alone."""
    return change.action is WebhookConfigAction.REAPPLY or bool(set(change.fields) - {"acknowledgement_status_code"})
