"""Histories of one gateway's resources as partners and clients make them, and what replays say of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import hypothesis.strategies as st
from mintmark.v1 import bindings_pb2, merchants_pb2, notifications_pb2, tokens_pb2

from tests.server.rpc.notices import MERCHANT, d1, record, told, tsh
from tests.server.rpc.running import RunningCore, request_id

Reason = notifications_pb2.QuarantineReason
STATES = ("ACTIVE", "SUSPENDED", "MELTED", "")
TIMES = ("", "nonsense", *(f"2020-01-0{day}T00:00:00Z" for day in range(1, 5)))
BOOKKEEPING = ("etag", "create_time", "update_time", "delivery_count", "refresh_generation")

# What is sent: a kind, what it tells, whether it has a correlation id, and whether the key is bound to the merchant.
Notice = tuple[str, dict[str, str], bool, bool]


def notices(*, given: bool | None = None, bound: bool | None = None) -> st.SearchStrategy[Notice]:
    state, time = st.sampled_from(STATES), st.sampled_from(TIMES)
    told = st.one_of(
        _told("binding_update", binding_state=state, last_update_timestamp=time),
        _told("binding_creation", idv_method=st.sampled_from(("NONE", "")), creation_timestamp=time),
        _told("token_update", token_state=state, card_expiry=st.sampled_from(("0130", "")), last_update_timestamp=time),
        _told("token_creation", creation_timestamp=time, par=st.just("")),
        _told("token_failure", error_code=st.sampled_from(("E1", "E2"))),
        _told("merchant_update", scheme=st.sampled_from(("VISA", "MASTERCARD")), error_code=st.sampled_from(("", "E")),
              last_update_timestamp=time),
        _told("d1", update_type=st.sampled_from(("A", "B"))),
    )  # fmt: skip
    fixed = {True: st.just(True), False: st.just(False), None: st.booleans()}
    return st.tuples(told, fixed[given], fixed[bound]).map(lambda drawn: (*drawn[0], drawn[1], drawn[2]))


def _told(kind: str, **texts: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, dict[str, str]]]:
    return st.fixed_dictionaries(texts).map(lambda told: (kind, told))


@dataclass
class Place:
    """A merchant gateway with its senders."""

    core: RunningCore
    gateway: str
    sent: list[notifications_pb2.NotificationRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.partner = self.core.partner(self.gateway)
        self.key = self.core.api_key(self.gateway)
        self.unbound = self.core.api_key(self.gateway, ["another"])

    @property
    def token_name(self) -> str:
        return f"merchantGateways/{self.gateway}/merchants/{MERCHANT}/tokens/t-1"

    def send(self, *sendings: Notice) -> None:
        self._record([self._notice(each, f"c-{len(self.sent) + n}") for n, each in enumerate(sendings)])

    def repeat(self, number: int) -> None:
        if self.sent:
            self._record([self.sent[number % len(self.sent)]])

    def _record(self, made: list[notifications_pb2.NotificationRecord]) -> None:
        self.sent += made
        record(self.core, *made)

    def _notice(self, notice: Notice, own_id: str) -> notifications_pb2.NotificationRecord:
        kind, told, given, bound = notice
        correlation_id = own_id if given else None
        if kind == "d1":
            return d1(self.partner, self.gateway, correlation_id=correlation_id, **told)
        key = self.key if bound else self.unbound
        if kind == "token_failure":
            return tsh(key, "token_creation", told, correlation_id=correlation_id, token_id="")
        told = {name: text for name, text in told.items() if name != "par"}
        return tsh(key, kind, told, correlation_id=correlation_id)

    def reject(self) -> None:
        reason = Reason.QUARANTINE_REASON_FIELD_INVALID
        own_id = f"c-{len(self.sent)}"
        notice = tsh(self.key, "binding_update", {}, correlation_id=own_id, quarantine_reason=reason)
        notice.ClearField("tsh_binding")
        self._record([notice])

    def act(self, what: str) -> None:
        """What a client of ours does to the token."""
        stub = self.core.admin.tokens
        try:
            match what:
                case "disable":
                    stub.DisableToken(
                        tokens_pb2.DisableTokenRequest(request_id=request_id(), name=self.token_name, reason="lost")
                    )
                case "enable":
                    stub.EnableToken(tokens_pb2.EnableTokenRequest(request_id=request_id(), name=self.token_name))
                case "import":
                    entry = tokens_pb2.TokenImport(
                        merchant_gateway_id=self.gateway,
                        merchant_id=MERCHANT,
                        token_id="t-1",
                        provider=tokens_pb2.TOKEN_PROVIDER_TSH,
                        state_text="ACTIVE",
                    )
                    stub.ImportTokens(tokens_pb2.ImportTokensRequest(request_id=request_id(), tokens=[entry]))
        except grpc.RpcError as error:
            assert "NOT_FOUND" in str(error)  # noqa: PT017  there is no such token yet

    def stored(self, **wanted: Any) -> list[notifications_pb2.Notification]:
        """The oldest first."""
        request = notifications_pb2.ListNotificationsRequest(merchant_gateway_id=self.gateway, page_size=1000, **wanted)
        return list(reversed(self.core.admin.notifications.ListNotifications(request).notifications))

    def resources(self) -> dict[str, Any]:
        """What there is, by its name below the gateway."""
        admin, below = self.core.admin, f"merchantGateways/{self.gateway}"
        found: list[Any] = [
            *admin.tokens.ListTokens(tokens_pb2.ListTokensRequest(parent=f"{below}/merchants/-")).tokens,
            *admin.bindings.ListBindings(
                bindings_pb2.ListBindingsRequest(parent=f"{below}/merchants/-/tokens/-")
            ).bindings,
            *admin.merchants.ListMerchants(merchants_pb2.ListMerchantsRequest(parent=below)).merchants,
        ]
        return {each.name.removeprefix(below): each for each in found}

    def plan(self, name: str) -> notifications_pb2.NotificationReplay:
        request = notifications_pb2.PlanNotificationReplayRequest(name=name)
        return self.core.admin.notifications.PlanNotificationReplay(request).replay

    def plans(self) -> list[notifications_pb2.NotificationReplay]:
        return [self.plan(each.name) for each in self.stored()]

    def replay(self, name: str) -> notifications_pb2.NotificationReplay:
        request = notifications_pb2.ReplayNotificationRequest(request_id=request_id(), name=name)
        return self.core.admin.notifications.ReplayNotification(request).replay

    def replay_all(self, names: Iterable[str] = ()) -> list[notifications_pb2.NotificationReplay]:
        return [self.replay(name) for name in names or [each.name for each in self.stored()]]


# What happens at a place: notices that arrive together, a repeat of one of them, or what a client does.
Happening = tuple[str, Any]


def happenings(**about: bool | None) -> st.SearchStrategy[list[Happening]]:
    batch = st.lists(notices(**about), min_size=1, max_size=3).map(lambda sent: ("send", sent))
    return st.lists(
        st.one_of(
            batch,
            batch,
            st.integers(0, 20).map(lambda number: ("repeat", number)),
            st.sampled_from(("disable", "enable", "import")).map(lambda what: ("act", what)),
            st.just(("reject", None)),
        ),
        min_size=1,
        max_size=9,
    )


def play(place: Place, happened: Sequence[Happening]) -> None:
    for what, about in happened:
        match what:
            case "send":
                place.send(*about)
            case "repeat":
                place.repeat(about)
            case "act":
                place.act(about)
            case _:
                place.reject()


def shown(resources: dict[str, Any], gateway: str) -> dict[str, str]:
    """Resources without what is counted and stamped, and without the gateway's own name."""
    seen = {}
    for name, resource in resources.items():
        bare = type(resource)()
        bare.CopyFrom(resource)
        for field_name in (*BOOKKEEPING, "disable_time"):
            if field_name in bare.DESCRIPTOR.fields_by_name:
                bare.ClearField(field_name)
        seen[name] = str(bare).replace(gateway, "GATEWAY")
    return seen


def update(key: str, state: str, time: str = "", **fields: Any) -> notifications_pb2.NotificationRecord:
    return tsh(key, "binding_update", {"binding_state": state, "last_update_timestamp": time}, **fields)


def send(core: RunningCore, notice: notifications_pb2.NotificationRecord) -> str:
    """Hands a notification over that is news; its name."""
    (result,) = record(core, notice)
    assert told([result])[0][0] == "STORED"
    return result.notification


def heal(at: Place) -> None:
    """Makes a key that may speak for what the unbound one may, and for the merchant."""
    at.core.api_key(at.gateway, ["another", MERCHANT])


def differing(replay: notifications_pb2.NotificationReplay) -> dict[str, tuple[str, str]]:
    """What each differing field is and would be."""
    return {each.path: (each.before, each.after) for each in replay.differences}
