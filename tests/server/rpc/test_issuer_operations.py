"""What D1 tells card issuers: kept once, in order, for the issuer alone; through RecordNotifications and the API."""

from itertools import count
from typing import Any

import grpc
import pytest
from mintmark.v1 import accounts_pb2, events_pb2, subscriptions_pb2
from mintmark.v1 import issuer_operations_pb2 as pb
from mintmark.v1 import notifications_pb2 as notices_pb2

from tests.server.rpc.notices import issuer, record, told
from tests.server.rpc.readings import notification
from tests.server.rpc.running import RunningCore, Session, request_id

STORED, STALE, REPEATED = ("STORED", "APPLIED"), ("STORED", "STALE"), ("REPEATED", "UNSPECIFIED")
EARLY, LATE = "2025-01-17T06:28:02.492Z", "2025-01-17T07:28:02.492Z"
State = pb.IssuerOperationState
_NUMBERS = count(1)


@pytest.fixture
def core(moving: RunningCore) -> RunningCore:
    """A core on each database."""
    return moving


@pytest.fixture
def place() -> str:
    """An issuer of the test's own."""
    return f"ISSUER{next(_NUMBERS):04}"


def partner(core: RunningCore, place: str) -> str:
    return core.create(["d1-notify"], issuers=[place]).client.name


def produce(status: str, time: str = EARLY, **more: Any) -> dict[str, Any]:
    return {"operation": "PRODUCE", "status": status, "start_time": time, **more}


def read(session: Session, name: str) -> pb.IssuerOperation:
    return session.issuer_operations.GetIssuerOperation(pb.GetIssuerOperationRequest(name=name)).issuer_operation


def listed(session: Session, **wanted: Any) -> list[str]:
    answer = session.issuer_operations.ListIssuerOperations(pb.ListIssuerOperationsRequest(**wanted))
    return [each.name for each in answer.issuer_operations]


def events(core: RunningCore, place: str) -> list[events_pb2.Event]:
    asked = events_pb2.ListEventsRequest(cursor="0", filter=events_pb2.EventFilter(issuer_id=place))
    return list(core.admin.events.ListEvents(asked).events)


def test_an_operation_is_kept_whole(core: RunningCore, place: str) -> None:
    sender = partner(core, place)
    said = produce(
        "SUCCESSFUL",
        end_time=LATE,
        details_json='{"status":"CARD_SHIPPED"}',
        message="On its way",
        input_file_name="cards.xml",
        issuer_request_id="req-7",
        digital_card_ids=["TOKEN1", "TOKEN2"],
    )
    (result,) = record(core, issuer(sender, place, "card_operation", said, card_id="c-1", correlation_id="corr-1"))
    assert told([result]) == [STORED]
    found = read(core.admin, f"issuers/{place}/cards/c-1/operations/op-1")
    assert (found.issuer_id, found.card_id, found.operation_id, found.kind) == (place, "c-1", "op-1", 1)
    assert (found.operation, found.state, found.state_text) == (
        "PRODUCE",
        State.ISSUER_OPERATION_STATE_SUCCESSFUL,
        "SUCCESSFUL",
    )
    assert (found.details_json, found.message) == ('{"status":"CARD_SHIPPED"}', "On its way")
    assert (found.start_time_text, found.end_time_text) == (EARLY, LATE)
    assert found.partner_order_time.ToJsonString() == LATE
    assert (found.input_file_name, found.issuer_request_id) == ("cards.xml", "req-7")
    assert list(found.digital_card_ids) == ["TOKEN1", "TOKEN2"]
    (event,) = events(core, place)
    assert event.kind == events_pb2.EVENT_KIND_ISSUER_OPERATION_UPDATED
    assert (event.resource, event.issuer_id, event.issuer_operation) == (found.name, place, found)
    assert dict(event.details) == {"kind": "CARD", "operation": "PRODUCE", "state": "SUCCESSFUL"}
    kept = notification(core, result.notification)
    assert (kept.issuer_id, kept.card_id, kept.operation_id, kept.resource) == (place, "c-1", "op-1", found.name)
    assert (kept.sender, kept.correlation_id) == (sender, "corr-1")


@pytest.mark.parametrize(
    ("what", "ids", "below"),
    [
        ("card_operation", {"card_id": "c/1"}, "cards/c%2F1/operations/op-1"),
        ("digital_card_operation", {"digital_card_id": "d-1"}, "digitalCards/d-1/operations/op-1"),
        ("three_d_secure_operation", {"card_id": "c-1"}, "cards/c-1/threeDSecureOperations/op-1"),
        ("consumer_operation", {"consumer_id": "u-1"}, "consumers/u-1/operations/op-1"),
    ],
)
def test_every_kind_has_a_name_of_its_own(
    core: RunningCore, place: str, what: str, ids: dict[str, str], below: str
) -> None:
    record(core, issuer(partner(core, place), place, what, produce("PENDING"), **ids))
    assert listed(core.admin, issuer_id=place) == [f"issuers/{place}/{below}"]


def test_a_repeat_changes_nothing_whatever_its_correlation_id(core: RunningCore, place: str) -> None:
    sender = partner(core, place)
    results = [
        record(core, issuer(sender, place, "card_operation", produce("PENDING"), card_id="c-1", correlation_id=each))[0]
        for each in ("a", "b", None)
    ]
    assert told(results) == [STORED, REPEATED, REPEATED]
    assert {each.notification for each in results} == {results[0].notification}
    assert len(events(core, place)) == 1
    assert read(core.admin, f"issuers/{place}/cards/c-1/operations/op-1").delivery_count == 3


def test_an_operation_id_that_comes_again_with_new_content_is_news(core: RunningCore, place: str) -> None:
    """PENDING, then several SUCCESSFUL: a shipment. Both copies of a batch are told once."""
    sender = partner(core, place)
    said = [
        produce("PENDING"),
        produce("SUCCESSFUL", details_json='{"shipment":{"status":"SENT"}}', end_time=EARLY),
        produce("SUCCESSFUL", details_json='{"shipment":{"status":"ARRIVED"}}', end_time=LATE),
    ]
    batch = [issuer(sender, place, "card_operation", each, card_id="c-1") for each in said]
    assert told(record(core, *batch, *batch)) == [STORED] * 3 + [REPEATED] * 3
    found = read(core.admin, f"issuers/{place}/cards/c-1/operations/op-1")
    assert found.details_json == '{"shipment":{"status":"ARRIVED"}}'
    assert [each.details.get("state_before", "") for each in events(core, place)] == ["", "PENDING", "SUCCESSFUL"]


def test_pending_never_follows_an_end(core: RunningCore, place: str) -> None:
    """Not even with a later time, or with none: the end is certain, the clock is not."""
    sender = partner(core, place)
    for place_in_row, (status, time) in enumerate((("FAILED", EARLY), ("PENDING", LATE), ("PENDING", ""))):
        said = produce(status, time)
        (result,) = record(core, issuer(sender, place, "card_operation", said, card_id="c-1"))
        assert told([result]) == [STALE if place_in_row else STORED]
    found = read(core.admin, f"issuers/{place}/cards/c-1/operations/op-1")
    assert (found.state_text, found.delivery_count) == ("FAILED", 3)
    assert len(events(core, place)) == 1


def test_an_older_report_changes_nothing(core: RunningCore, place: str) -> None:
    sender = partner(core, place)
    newer = produce("SUCCESSFUL", LATE, details_json='{"status":"CARD_SHIPPED"}')
    older = produce("SUCCESSFUL", EARLY, details_json='{"status":"CARD_PROD_DONE"}')
    results = record(core, *(issuer(sender, place, "card_operation", each, card_id="c-1") for each in (newer, older)))
    assert told(results) == [STORED, STALE]
    assert read(core.admin, f"issuers/{place}/cards/c-1/operations/op-1").details_json == newer["details_json"]


def test_a_reference_number_that_is_used_again_is_another_authorisation(core: RunningCore, place: str) -> None:
    sender = partner(core, place)
    first = {"operation": "PURCHASE", "status": "APPROVED", "start_time": EARLY}
    others = ({**first, "start_time": LATE}, {**first, "operation": "WITHDRAWAL"}, {**first, "status": "REVERSED"})
    records = [issuer(sender, place, "card_authorisation", each, card_id="c-1") for each in (first, *others, first)]
    assert told(record(core, *records)) == [STORED] * 4 + [REPEATED]
    names = listed(core.admin, issuer_id=place)
    assert len(names) == 3
    assert all(name.startswith(f"issuers/{place}/cards/c-1/authorisations/op-1~") for name in names)
    states = {read(core.admin, name).state_text for name in names}
    assert states == {"APPROVED", "REVERSED"}
    unknown = State.ISSUER_OPERATION_STATE_UNRECOGNIZED
    assert len(listed(core.admin, issuer_id=place, states=[unknown])) == 1


@pytest.mark.parametrize("first", ["APPROVED", "DECLINED"])
def test_an_authorisation_that_is_told_to_be_both_counts_as_approved(core: RunningCore, place: str, first: str) -> None:
    """In whichever order: the money may be reserved."""
    sender = partner(core, place)
    second = "DECLINED" if first == "APPROVED" else "APPROVED"
    records = [
        issuer(
            sender,
            place,
            "card_authorisation",
            {"operation": "PURCHASE", "status": status, "start_time": EARLY},
            card_id="c-1",
        )
        for status in (first, second)
    ]
    results = record(core, *records, *records)
    assert told(results) == [STORED, STALE if second == "DECLINED" else STORED, REPEATED, REPEATED]
    (name,) = listed(core.admin, issuer_id=place)
    assert read(core.admin, name).state == State.ISSUER_OPERATION_STATE_APPROVED
    flagged = notices_pb2.ListNotificationsRequest(issuer_id=place, flags=[notices_pb2.NOTIFICATION_FLAG_CONTRADICTORY])
    found = core.admin.notifications.ListNotifications(flagged).notifications
    assert [each.name for each in found] == [results[1].notification]


def test_a_bad_item_is_quarantined_and_its_neighbours_are_applied(core: RunningCore, place: str) -> None:
    sender = partner(core, place)
    good = issuer(sender, place, "card_operation", produce("PENDING"), card_id="c-1")
    bad = issuer(sender, place, "card_operation", {}, card_id="")
    bad.ClearField("content")
    bad.quarantine_reason = notices_pb2.QUARANTINE_REASON_BATCH_ITEM_INVALID
    results = record(core, bad, good)
    assert told(results) == [("STORED", "QUARANTINED"), STORED]
    wanted = notices_pb2.ListNotificationsRequest(issuer_id=place, states=[notices_pb2.NOTIFICATION_STATE_QUARANTINED])
    (kept,) = core.admin.notifications.ListNotifications(wanted).notifications
    assert kept.name == results[0].notification
    by_card = core.admin.notifications.ListNotifications(
        notices_pb2.ListNotificationsRequest(issuer_id=place, card_id="c-1")
    )
    assert [each.name for each in by_card.notifications] == [results[1].notification]


def test_each_issuer_sees_its_own_and_nothing_else(core: RunningCore, place: str) -> None:
    other = f"OTHER{next(_NUMBERS):05}"
    for each in (place, other):
        record(core, issuer(partner(core, each), each, "card_operation", produce("PENDING"), card_id="c-1"))
    scopes = ["issuer_operations.read", "notifications.read", "events.read"]
    made = core.create(scopes, issuers=[place])
    bound = core.session(made.client.client_id, made.client_secret)
    unbound = core.client(scopes, ["*"])
    mine, theirs = (f"issuers/{each}/cards/c-1/operations/op-1" for each in (place, other))
    assert listed(bound) == [mine]
    assert listed(unbound) == []
    assert read(bound, mine).name == mine
    for session, name in ((bound, theirs), (unbound, mine)):
        with pytest.raises(grpc.RpcError) as refused:
            read(session, name)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    kept = bound.notifications.ListNotifications(notices_pb2.ListNotificationsRequest()).notifications
    assert {each.issuer_id for each in kept} == {place}
    asked = notices_pb2.ListNotificationsRequest(issuer_id=place)
    assert not unbound.notifications.ListNotifications(asked).notifications
    assert {each.issuer_id for each in bound.events_after("0")} == {place}
    assert not [each for each in unbound.events_after("0") if each.issuer_id]


def test_a_subscription_may_want_one_issuer_only(core: RunningCore, place: str) -> None:
    made = core.create(
        ["events.read", "subscriptions.read", "subscriptions.write"], issuers=[place, f"OTHER{next(_NUMBERS):05}"]
    )
    follower = core.session(made.client.client_id, made.client_secret)
    wanted = events_pb2.EventFilter(issuer_id=place)
    subscription = follower.subscriptions.CreateSubscription(
        subscriptions_pb2.CreateSubscriptionRequest(request_id=request_id(), subscription_id="mine", filter=wanted)
    ).subscription
    assert subscription.filter == wanted
    for each in (place, made.client.issuer_ids[0], made.client.issuer_ids[1]):
        record(core, issuer(partner(core, each), each, "card_operation", produce("PENDING"), card_id="c-1"))
    pulled = follower.subscriptions.PullEvents(
        subscriptions_pb2.PullEventsRequest(name=subscription.name, max_events=10)
    )
    assert {each.event.issuer_id for each in pulled.events} == {place}


def test_who_may_not_speak_for_an_issuer_is_refused(core: RunningCore, place: str) -> None:
    mine = partner(core, place)
    foreign = partner(core, f"OTHER{next(_NUMBERS):05}")
    merchant = core.partner("MGW_999999")
    said = produce("PENDING")
    senders = (foreign, merchant, "clients/nobody", core.create(["tokens.read"], issuers=[place]).client.name)
    results = record(core, *(issuer(each, place, "card_operation", said, card_id="c-1") for each in senders))
    outcomes = [outcome for outcome, _ in told(results)]
    assert outcomes == ["FORBIDDEN", "FORBIDDEN", "UNAUTHENTICATED", "FORBIDDEN"]
    (unknown,) = record(core, issuer(mine, "NOBODY0000", "card_operation", said, card_id="c-1"))
    assert told([unknown])[0][0] == "NOT_OURS"
    assert listed(core.admin, issuer_id=place) == []


def test_an_account_makes_an_issuer_ours_and_its_certificate_speaks_for_it(core: RunningCore, place: str) -> None:
    account = accounts_pb2.Account(
        account_id=f"d1-{place.lower()}",
        provider=accounts_pb2.ACCOUNT_PROVIDER_D1_ISSUER,
        issuer_id=place,
        inbound_authentication=accounts_pb2.INBOUND_AUTHENTICATION_CERTIFICATE,
    )
    core.admin.accounts.ApplyAccounts(accounts_pb2.ApplyAccountsRequest(request_id=request_id(), accounts=[account]))
    name = f"partnerAccounts/{account.account_id}"
    assert core.admin.accounts.GetAccount(accounts_pb2.GetAccountRequest(name=name)).account.issuer_id == place
    own, other = (issuer(name, each, "card_operation", produce("PENDING"), card_id="c") for each in (place, "X" * 10))
    assert [outcome for outcome, _ in told(record(core, own, other))] == ["STORED", "NOT_OURS"]


@pytest.mark.parametrize(
    ("stated", "field"),
    [
        ({"provider": accounts_pb2.ACCOUNT_PROVIDER_D1_ISSUER}, "issuer_id"),
        ({"provider": accounts_pb2.ACCOUNT_PROVIDER_TSH, "issuer_id": "ISSUER9999"}, "issuer_id"),
        ({"provider": accounts_pb2.ACCOUNT_PROVIDER_TSH}, "merchant_gateway_id"),
        (
            {
                "provider": accounts_pb2.ACCOUNT_PROVIDER_D1_ISSUER,
                "issuer_id": "ISSUER9999",
                "merchant_gateway_id": "MGW_999999",
            },
            "merchant_gateway_id",
        ),
        (
            {
                "provider": accounts_pb2.ACCOUNT_PROVIDER_D1_ISSUER,
                "issuer_id": "ISSUER9999",
                "merchant_ids": ["m"],
            },
            "merchant_ids",
        ),
    ],
)
def test_an_account_that_is_about_something_else_is_refused(
    core: RunningCore, stated: dict[str, Any], field: str
) -> None:
    request = accounts_pb2.ApplyAccountsRequest(
        request_id=request_id(), accounts=[accounts_pb2.Account(account_id="odd", **stated)]
    )
    with pytest.raises(grpc.RpcError) as refused:
        core.admin.accounts.ApplyAccounts(request)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert f"accounts[0].{field}" in str(refused.value.details())


def test_what_waited_for_nothing_is_decided_again_alike(core: RunningCore, place: str) -> None:
    """A replay of an applied notification finds that today's rules say the same."""
    (result,) = record(core, issuer(partner(core, place), place, "card_operation", produce("PENDING"), card_id="c-1"))
    plan = core.admin.notifications.PlanNotificationReplay(
        notices_pb2.PlanNotificationReplayRequest(name=result.notification)
    )
    assert not plan.replay.differences
    assert plan.replay.before == plan.replay.after
