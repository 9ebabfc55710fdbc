"""Webhook configs: what is desired of the acquirer, what it has agreed to, and what it was seen to have."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from server.domain.refusals import EtagMismatch, WebhookConfigStateUnfit

ALGORITHM = "AES-256-GCM"
# How many calls are kept with a config.
KEPT_CALLS = 20
FOREIGN = "foreign"


class Channel(StrEnum):
    URL = "URL"
    EMAIL = "EMAIL"


class WebhookConfigState(StrEnum):
    PENDING = "PENDING"
    APPLYING = "APPLYING"
    APPLIED = "APPLIED"
    REJECTED = "REJECTED"
    DRIFTED = "DRIFTED"
    DELETING = "DELETING"
    DELETED = "DELETED"


class Presence(StrEnum):
    """Whether the acquirer has the config. UNKNOWN: it was asked for it and nobody knows what it did."""

    UNKNOWN = "UNKNOWN"
    ABSENT = "ABSENT"
    PRESENT = "PRESENT"


class Fact(StrEnum):
    """What can happen to a config. UNSETTLED: a call was not sent, or its outcome is unknown. FORGOTTEN: it is to be
    deleted, and the acquirer does not have it."""

    WANTED = "WANTED"
    DELETE_WANTED = "DELETE_WANTED"
    FORGOTTEN = "FORGOTTEN"
    CLAIMED = "CLAIMED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    UNSETTLED = "UNSETTLED"
    DRIFT = "DRIFT"
    AGREEMENT = "AGREEMENT"


S = WebhookConfigState
# What is not in the table changes nothing; a wish that is not in it is refused.
TRANSITIONS: dict[tuple[WebhookConfigState, Fact], WebhookConfigState] = {
    (S.PENDING, Fact.WANTED): S.PENDING,
    (S.PENDING, Fact.DELETE_WANTED): S.DELETING,
    (S.PENDING, Fact.FORGOTTEN): S.DELETED,
    (S.PENDING, Fact.CLAIMED): S.APPLYING,
    (S.PENDING, Fact.ACCEPTED): S.APPLIED,
    (S.PENDING, Fact.REJECTED): S.REJECTED,
    (S.APPLYING, Fact.WANTED): S.PENDING,
    (S.APPLYING, Fact.DELETE_WANTED): S.DELETING,
    (S.APPLYING, Fact.ACCEPTED): S.APPLIED,
    (S.APPLYING, Fact.REJECTED): S.REJECTED,
    (S.APPLYING, Fact.UNSETTLED): S.PENDING,
    (S.APPLIED, Fact.WANTED): S.PENDING,
    (S.APPLIED, Fact.DELETE_WANTED): S.DELETING,
    (S.APPLIED, Fact.FORGOTTEN): S.DELETED,
    (S.APPLIED, Fact.DRIFT): S.DRIFTED,
    (S.REJECTED, Fact.WANTED): S.PENDING,
    (S.REJECTED, Fact.DELETE_WANTED): S.DELETING,
    (S.REJECTED, Fact.FORGOTTEN): S.DELETED,
    (S.REJECTED, Fact.AGREEMENT): S.APPLIED,
    (S.DRIFTED, Fact.WANTED): S.PENDING,
    (S.DRIFTED, Fact.DELETE_WANTED): S.DELETING,
    (S.DRIFTED, Fact.FORGOTTEN): S.DELETED,
    (S.DRIFTED, Fact.AGREEMENT): S.APPLIED,
    (S.DELETING, Fact.DELETE_WANTED): S.DELETING,
    (S.DELETING, Fact.ACCEPTED): S.DELETED,
    (S.DELETING, Fact.REJECTED): S.REJECTED,
    (S.DELETED, Fact.DELETE_WANTED): S.DELETED,
    (S.DELETED, Fact.FORGOTTEN): S.DELETED,
}
WISHES = frozenset({Fact.WANTED, Fact.DELETE_WANTED, Fact.FORGOTTEN})
# Nothing is to be done until somebody wants something.
SETTLED = frozenset({S.APPLIED, S.REJECTED, S.DRIFTED, S.DELETED})
# What the acquirer has is compared with what is desired only while no call may be changing it.
COMPARED = SETTLED - {S.DELETED}
GOING = frozenset({S.DELETING, S.DELETED})


class AcquirerOperation(StrEnum):
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    LIST = "LIST"
    STATUS = "STATUS"


class CallOutcome(StrEnum):
    NOT_SENT = "NOT_SENT"
    UNKNOWN = "UNKNOWN"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    UNAUTHENTICATED = "UNAUTHENTICATED"


@dataclass(frozen=True, slots=True)
class AcquirerCall:
    """One call to the acquirer; texts as they came, never a key. `time` is when it was recorded, in microseconds."""

    operation: AcquirerOperation
    outcome: CallOutcome
    tpp_request_id: str = ""
    http_status: int = 0
    transaction_status: str = ""
    status_code: str = ""
    status_message: str = ""
    status_description: str = ""
    trouble: str = ""
    generation: int = 0
    time: int = 0

    @property
    def fact(self) -> Fact:
        """What it means for the config that it was made for."""
        if self.outcome is CallOutcome.ACCEPTED:
            return Fact.ACCEPTED
        return Fact.REJECTED if self.outcome is CallOutcome.REJECTED else Fact.UNSETTLED


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the acquirer is to have, with what stands for what was left empty; the key is apart. The acknowledgement's
    status code is ours alone."""

    channel: Channel
    value: str
    payment_method_codes: tuple[str, ...]
    support_email: str
    algorithm: str
    acknowledgement_status_code: str


# What the acquirer is told of.
TOLD = ("channel", "value", "payment_method_codes", "support_email", "algorithm")


@dataclass(frozen=True, slots=True)
class Observed:
    """What the acquirer was seen to have. `key` names one of ours."""

    present: bool
    observe_time: int
    channel_text: str = ""
    value: str = ""
    payment_method_codes: tuple[str, ...] = ()
    support_email: str = ""
    algorithm: str = ""
    key: str = ""
    foreign_key: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that is not as desired, as text."""

    field: str
    desired: str
    observed: str


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """Times are microseconds. What was stated and may be empty is in `stated_...`; `wanted` is what follows from it.
    `call_time` is the last time at which a call for it may have been on its way."""

    name: str
    webhook_config_id: str
    account: str
    merchant_gateway_id: str
    merchant_id: str
    acceptor_id: str
    terminal_id: str
    stated_value: str
    stated_support_email: str
    stated_acknowledgement_status_code: str
    wanted: Wanted
    notification_configuration_code: str
    create_time: int
    update_time: int
    state: WebhookConfigState = WebhookConfigState.PENDING
    generation: int = 1
    applied_generation: int = 0
    applied: Wanted | None = None
    presence: Presence = Presence.ABSENT
    observed: Observed | None = None
    differences: tuple[Difference, ...] = ()
    refresh_wanted_time: int | None = None
    list_time: int | None = None
    call_time: int = 0
    calls: tuple[AcquirerCall, ...] = ()
    actor: str = ""
    apply_time: int | None = None
    delete_time: int | None = None
    revision: int = 1

    @property
    def settled(self) -> bool:
        return self.state in SETTLED and self.refresh_wanted_time is None

    @property
    def own_address(self) -> bool:
        return self.wanted.channel is Channel.URL and not self.stated_value

    @property
    def last_call(self) -> AcquirerCall | None:
        """The last one that changed or was to change the acquirer's side."""
        changing = (call for call in reversed(self.calls) if call.operation is not AcquirerOperation.LIST)
        return next(changing, self.calls[-1] if self.calls else None)

    @property
    def key_end_time(self) -> int | None:
        """When the acquirer agreed to use no key at all any more; None while it may use one."""
        if self.delete_time is not None:
            return self.delete_time
        mails = self.applied is not None and self.applied.channel is Channel.EMAIL
        return self.apply_time if mails and self.wanted.channel is Channel.EMAIL else None

    @property
    def scope(self) -> tuple[str, str, str]:
        return self.merchant_id, self.acceptor_id, self.terminal_id


def code_of(uuid: str, *, without_hyphens: bool) -> str:
    """How the acquirer is told a config's code: 36 characters, or 32."""
    plain = uuid.replace("-", "")
    if without_hyphens:
        return plain
    return "-".join((plain[:8], plain[8:12], plain[12:16], plain[16:20], plain[20:]))


def same_code(one: str, other: str) -> bool:
    return one.replace("-", "").casefold() == other.replace("-", "").casefold()


def check_etag(config: WebhookConfig, etag: str) -> None:
    """Raises EtagMismatch."""
    if etag and etag != str(config.revision):
        raise EtagMismatch(config.name)


def after(config: WebhookConfig, fact: Fact) -> WebhookConfigState:
    """The state after a fact. Raises WebhookConfigStateUnfit for a wish that cannot be."""
    found = TRANSITIONS.get((config.state, fact))
    if found is None:
        if fact in WISHES:
            raise WebhookConfigStateUnfit(config.name, config.state)
        return config.state
    return found


def saved(config: WebhookConfig, now: int, **changes: object) -> WebhookConfig:
    return replace(config, update_time=now, revision=config.revision + 1, **changes)  # type: ignore[arg-type]


def want(config: WebhookConfig, wanted: Wanted, actor: str, now: int, *, without_hyphens: bool) -> WebhookConfig:
    """The config to be applied (again). Raises WebhookConfigStateUnfit."""
    code = config.notification_configuration_code
    if config.applied_generation == 0 and config.presence is not Presence.PRESENT:
        # The acquirer does not know it by the other form yet.
        code = code_of(code, without_hyphens=without_hyphens)
    return saved(
        config,
        now,
        state=after(config, Fact.WANTED),
        wanted=wanted,
        generation=config.generation + 1,
        notification_configuration_code=code,
        differences=(),
        actor=actor,
    )


def want_gone(config: WebhookConfig, actor: str, now: int) -> WebhookConfig:
    """The config to be deleted; DELETED at once where the acquirer does not have it. Deleting it again changes
    nothing."""
    if config.state in GOING:
        return config
    # While the acquirer is being asked for it, nobody knows that it is absent.
    absent = config.presence is Presence.ABSENT and config.state is not WebhookConfigState.APPLYING
    return saved(
        config,
        now,
        state=after(config, Fact.FORGOTTEN if absent else Fact.DELETE_WANTED),
        generation=config.generation + 1,
        delete_time=now if absent else None,
        differences=(),
        actor=actor,
    )


def claimed(config: WebhookConfig, wanted: Wanted, now: int) -> WebhookConfig:
    """The config while the acquirer is being asked for it: nobody knows any more what it has."""
    return saved(
        config, now, state=after(config, Fact.CLAIMED), wanted=wanted, presence=Presence.UNKNOWN, call_time=now
    )


def with_calls(config: WebhookConfig, calls: Sequence[AcquirerCall]) -> tuple[AcquirerCall, ...]:
    return (*config.calls, *calls)[-KEPT_CALLS:]


def reported(config: WebhookConfig, calls: Sequence[AcquirerCall], now: int) -> WebhookConfig:
    """The config after the calls that were made for its present generation."""
    last = calls[-1]
    fact = last.fact
    changed = saved(config, now, state=after(config, fact), calls=with_calls(config, calls), call_time=now)
    if config.state not in (S.PENDING, S.APPLYING, S.DELETING):
        # It has settled otherwise meanwhile; who is right, a refresh will show.
        return replace(changed, presence=Presence.UNKNOWN) if config.state is not S.DELETED else changed
    if fact is not Fact.ACCEPTED:
        return replace(changed, presence=Presence.UNKNOWN)
    if changed.state is S.DELETED:
        return replace(changed, presence=Presence.ABSENT, delete_time=now)
    return replace(
        changed,
        presence=Presence.PRESENT,
        applied=config.wanted,
        applied_generation=config.generation,
        apply_time=now,
        differences=(),
    )


def reported_late(config: WebhookConfig, calls: Sequence[AcquirerCall], now: int) -> WebhookConfig:
    """The config after calls for a generation that is not desired any more: nothing is applied by them."""
    presence = config.presence if config.state is S.DELETED else Presence.UNKNOWN
    return saved(config, now, calls=with_calls(config, calls), presence=presence)


def compared(wanted: Wanted, key: str, observed: Observed) -> tuple[Difference, ...]:
    """What is not as desired. What the acquirer's list does not tell is not compared."""
    if not observed.present:
        return (Difference("present", "true", "false"),)
    found = []
    if observed.channel_text.upper() != wanted.channel:
        found.append(Difference("channel", wanted.channel, observed.channel_text))
    if observed.value != wanted.value:
        found.append(Difference("value", wanted.value, observed.value))
    if observed.payment_method_codes and set(observed.payment_method_codes) != set(wanted.payment_method_codes):
        codes = (",".join(sorted(each)) for each in (wanted.payment_method_codes, observed.payment_method_codes))
        found.append(Difference("payment_method_codes", *codes))
    if wanted.channel is Channel.URL:
        if observed.support_email != wanted.support_email:
            found.append(Difference("support_email", wanted.support_email, observed.support_email))
        if observed.algorithm and observed.algorithm != wanted.algorithm:
            found.append(Difference("algorithm", wanted.algorithm, observed.algorithm))
        if observed.foreign_key or (observed.key and observed.key != key):
            found.append(Difference("key", key, FOREIGN if observed.foreign_key else observed.key))
    return tuple(found)


def listed(config: WebhookConfig, key: str, observed: Observed, call: AcquirerCall, now: int) -> WebhookConfig:
    """The config after the acquirer told what it has, asked when no call for the config was on its way."""
    differences = compared(config.wanted, key, observed)
    return saved(
        config,
        now,
        state=after(config, Fact.DRIFT if differences else Fact.AGREEMENT),
        presence=Presence.PRESENT if observed.present else Presence.ABSENT,
        observed=observed,
        differences=differences,
        calls=with_calls(config, [call]),
        list_time=now,
        refresh_wanted_time=None,
    )


def not_listed(config: WebhookConfig, call: AcquirerCall, now: int) -> WebhookConfig:
    """The config after a refresh that told nothing of it."""
    return saved(config, now, calls=with_calls(config, [call]), list_time=now, refresh_wanted_time=None)
