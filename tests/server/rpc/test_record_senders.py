"""Who may record what, what goes into quarantine, and what a batch does."""

import grpc
import psycopg
import pytest
from mintmark.v1 import (
    access_tokens_pb2,
    accounts_pb2,
    api_keys_pb2,
    clients_pb2,
    events_pb2,
    notifications_pb2,
    tokens_pb2,
)

from server.keys import keyring
from tests.server.rpc.notices import MERCHANT, d1, record, told, tsh
from tests.server.rpc.running import RunningCore, refused, request_id, running_core

Reason = notifications_pb2.QuarantineReason
UNKNOWN = "UNSPECIFIED"


def outcome(core: RunningCore, notice: notifications_pb2.NotificationRecord) -> str:
    (result,) = record(core, notice)
    assert bool(result.notification) == (result.outcome <= 2)
    return told([result])[0][0]


def notification(core: RunningCore, name: str) -> notifications_pb2.Notification:
    request = notifications_pb2.GetNotificationRequest(name=name)
    return core.admin.notifications.GetNotification(request).notification


def stored(core: RunningCore, place: str) -> list[notifications_pb2.Notification]:
    request = notifications_pb2.ListNotificationsRequest(merchant_gateway_id=place)
    return list(core.admin.notifications.ListNotifications(request).notifications)


def test_a_d1_sender_must_be_an_active_client(core: RunningCore, place: str) -> None:
    partner = core.partner(place)
    for sender in ("clients/nobody", core.api_key(place), "partnerAccounts/nobody", "nonsense"):
        assert outcome(core, d1(sender, place)) == "UNAUTHENTICATED"
    assert outcome(core, d1(partner, place)) == "STORED"
    core.admin.clients.DisableClient(clients_pb2.DisableClientRequest(request_id=request_id(), name=partner))
    assert outcome(core, d1(partner, place)) == "UNAUTHENTICATED"
    assert len(stored(core, place)) == 1


def test_a_d1_sender_needs_the_scope_and_the_gateway(core: RunningCore, place: str) -> None:
    other = f"{place}-other"
    core.partner(other)
    internal = core.create(["tokens.read"], [place]).client.name
    assert outcome(core, d1(internal, place)) == "FORBIDDEN"
    partner = core.partner(place)
    assert outcome(core, d1(partner, other)) == "FORBIDDEN"
    assert outcome(core, d1(partner, f"{place}-nobodys")) == "NOT_OURS"


def test_a_d1_sender_needs_the_merchant(core: RunningCore, place: str) -> None:
    partner = core.partner(place, merchants=[MERCHANT])
    core.partner(place, merchants=["10610027399"])
    assert outcome(core, d1(partner, place)) == "STORED"
    assert outcome(core, d1(partner, place, merchant_id="10610027399")) == "FORBIDDEN"
    assert outcome(core, d1(partner, place, merchant_id="nobodys0000")) == "NOT_OURS"


def apply(
    core: RunningCore, place: str, authentication: accounts_pb2.InboundAuthentication.ValueType, *merchants: str
) -> str:
    stated = accounts_pb2.Account(
        account_id=place.lower(),
        provider=accounts_pb2.AccountProvider.ACCOUNT_PROVIDER_D1_ECOM,
        merchant_gateway_id=place,
        merchant_ids=merchants,
        inbound_authentication=authentication,
    )
    request = accounts_pb2.ApplyAccountsRequest(request_id=request_id(), accounts=[stated])
    (change,) = core.admin.accounts.ApplyAccounts(request).changes
    return change.account


def test_an_account_speaks_for_its_gateway_where_oauth_is_off(core: RunningCore, place: str) -> None:
    sender = apply(core, place, accounts_pb2.InboundAuthentication.INBOUND_AUTHENTICATION_OAUTH)
    assert outcome(core, d1(sender, place)) == "UNAUTHENTICATED"
    certificate = accounts_pb2.InboundAuthentication.INBOUND_AUTHENTICATION_CERTIFICATE
    assert apply(core, place, certificate, MERCHANT) == sender
    assert outcome(core, d1(sender, place)) == "STORED"
    assert outcome(core, d1(sender, place, merchant_id="another")) == "NOT_OURS"
    assert outcome(core, d1(sender, f"{place}-nobodys")) == "NOT_OURS"
    core.partner(f"{place}-other")
    assert outcome(core, d1(sender, f"{place}-other")) == "FORBIDDEN"
    assert outcome(core, tsh(sender, "binding_update", {})) == "UNAUTHENTICATED"


def test_a_tsh_sender_must_be_an_active_key(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    for sender in ("apiKeys/nobody", core.partner(place), "clients/admin"):
        assert outcome(core, tsh(sender, "binding_update", {})) == "UNAUTHENTICATED"
    assert outcome(core, tsh(key, "binding_update", {})) == "STORED"
    core.admin.api_keys.RevokeApiKey(api_keys_pb2.RevokeApiKeyRequest(name=key))
    assert outcome(core, tsh(key, "binding_update", {})) == "UNAUTHENTICATED"


def test_the_gateway_of_a_tsh_notification_is_the_keys(core: RunningCore, place: str) -> None:
    lie = tsh(core.api_key(place), "token_update", {}, merchant_gateway_id="elsewhere")
    (result,) = record(core, lie)
    assert notification(core, result.notification).merchant_gateway_id == place


def test_a_merchant_that_the_key_is_not_bound_to_is_quarantined(core: RunningCore, place: str) -> None:
    key = core.api_key(place, ["mine"])
    notice = tsh(key, "binding_update", {"binding_state": "DELETED"}, merchant_id="another")
    (result,) = record(core, notice)
    assert told([result]) == [("STORED", "QUARANTINED")]
    kept = notification(core, result.notification)
    assert (kept.quarantine_reason, kept.merchant_id) == (Reason.QUARANTINE_REASON_MERCHANT_NOT_BOUND, "another")
    assert "DELETED" in kept.redacted_body
    (event,) = core.admin.events_after("0", merchant_gateway_id=place)
    assert (event.kind, event.resource) == (events_pb2.EventKind.EVENT_KIND_NOTIFICATION_QUARANTINED, kept.name)
    assert (dict(event.details), event.sequence) == ({"quarantine_reason": "MERCHANT_NOT_BOUND"}, kept.event_sequence)
    assert record(core, notice)[0].notification == kept.name
    assert len(core.admin.events_after("0", merchant_gateway_id=place)) == 1


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ("CARD_NUMBER_IN_IDENTIFIER", "QUARANTINED"),
        ("FIELD_INVALID", "REJECTED"),
        ("BODY_UNREADABLE", "REJECTED"),
    ],
)
@pytest.mark.parametrize("given", [True, False])
def test_what_the_gateway_could_not_use_is_kept(
    core: RunningCore, place: str, reason: str, state: str, given: bool
) -> None:
    value = Reason.Value(f"QUARANTINE_REASON_{reason}")
    notice = tsh(core.api_key(place, ["mine"]), "binding_update", {}, merchant_id="", quarantine_reason=value)
    notice.ClearField("tsh_binding")
    notice.body = b"\xff\x00 not { JSON"
    notice.correlation_id_given = given
    (result,) = record(core, notice)
    assert told([result]) == [("STORED", state)]
    kept = notification(core, result.notification)
    assert kept.quarantine_reason == value
    assert kept.body_size == len(notice.body)
    assert "not { JSON" in kept.redacted_body
    assert record(core, notice)[0].notification == kept.name
    assert notification(core, kept.name).delivery_count == 2
    assert len(core.admin.events_after("0", merchant_gateway_id=place)) == 1


@pytest.mark.parametrize(
    "ids", [{"token_id": "x" * 2000}, {"device_id": "ü" * 400}, {"token_id": ""}, {"device_id": ""}]
)
def test_an_identifier_that_cannot_name_anything_is_quarantined(
    core: RunningCore, place: str, ids: dict[str, str]
) -> None:
    notice = tsh(core.api_key(place), "binding_update", {}, **ids)
    (result,) = record(core, notice)
    assert told([result]) == [("STORED", "QUARANTINED")]
    kept = notification(core, result.notification)
    assert kept.quarantine_reason == Reason.QUARANTINE_REASON_IDENTIFIER_UNUSABLE
    assert record(core, notice)[0].notification == kept.name


def test_nul_and_odd_letters_do_not_stop_the_feed(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    told_of = {"binding_state": "A\0B", "device_type": "🜚", "creation_timestamp": "\0"}
    (result,) = record(core, tsh(key, "binding_update", told_of, token_id="a\0b/ü%", correlation_id="\0"))
    assert told([result]) == [("STORED", "APPLIED")]
    kept = notification(core, result.notification)
    assert "\0" not in kept.token_id + kept.correlation_id + kept.resource
    (event,) = core.admin.events_after("0", merchant_gateway_id=place)
    assert "\0" not in event.binding.state_text


def test_a_batch_is_answered_in_its_order(core: RunningCore, place: str) -> None:
    partner, key = core.partner(place), core.api_key(place)
    first, bound = d1(partner, place), tsh(key, "binding_update", {"binding_state": "ACTIVE"}, token_id="t-2")
    results = record(
        core,
        first,
        d1("clients/nobody", place),
        first,
        bound,
        d1(partner, f"{place}-nobodys"),
        tsh(key, "binding_update", {}, token_id=""),
        bound,
        d1(partner, place),
    )
    assert told(results) == [
        ("STORED", "APPLIED"),
        ("UNAUTHENTICATED", UNKNOWN),
        ("REPEATED", told(results)[2][1]),
        ("STORED", "APPLIED"),
        ("NOT_OURS", UNKNOWN),
        ("STORED", "QUARANTINED"),
        ("REPEATED", told(results)[6][1]),
        ("STORED", "APPLIED"),
    ]
    assert results[2].notification == results[0].notification
    assert results[6].notification == results[3].notification
    name = f"merchantGateways/{place}/merchants/{MERCHANT}/tokens/t-1"
    known = core.admin.tokens.GetToken(tokens_pb2.GetTokenRequest(name=name)).token
    assert (known.refresh_generation, known.delivery_count) == (3, 3)
    assert len(core.admin.events_after("0", merchant_gateway_id=place)) == 4
    assert len(stored(core, place)) == 4


def test_a_batch_of_512_is_recorded_and_a_larger_one_refused(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    notices = [tsh(key, "binding_update", {"binding_state": "ACTIVE"}, device_id=f"d-{n}") for n in range(513)]
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        record(core, *notices)
    assert set(told(record(core, *notices[:512]))) == {("STORED", "APPLIED")}
    assert len(core.admin.events_after("0", merchant_gateway_id=place)) == 512


def test_a_batch_with_a_record_that_breaks_its_rules_stores_nothing(core: RunningCore, place: str) -> None:
    partner = core.partner(place)
    bad = d1(partner, place)
    bad.content_digest = b"short"
    with refused("INVALID_ARGUMENT", "FIELD_INVALID") as said:
        record(core, d1(partner, place), bad)
    assert said.metadata["field"] == "records[1].content_digest"
    assert stored(core, place) == []


def test_a_batch_larger_than_a_megabyte_fits_the_internal_listener(core: RunningCore, place: str) -> None:
    partner = core.partner(place)
    notices = [d1(partner, place, f"t-{number}", body=b"x" * 65_536) for number in range(60)]
    assert set(told(record(core, *notices))) == {("STORED", "APPLIED")}
    with pytest.raises(grpc.RpcError) as caught:
        record(core, *notices, *notices[:20])
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_only_the_gateways_role_records(core: RunningCore, place: str) -> None:
    partner = core.partner(place)
    dispatcher = core.house("role.dispatcher", internal=True)
    request = notifications_pb2.RecordNotificationsRequest(records=[d1(partner, place)])
    with refused("PERMISSION_DENIED", "SCOPE_MISSING") as said:
        dispatcher.records.RecordNotifications(request)
    assert said.metadata == {"scope": "role.gateway"}
    issue = access_tokens_pb2.IssueAccessTokenRequest(client_id="x", client_secret="y")
    with refused("UNAUTHENTICATED", "CLIENT_CREDENTIALS_INVALID"):
        core.anonymous.access_tokens.IssueAccessToken(issue)


def test_a_record_that_postgres_refuses_is_quarantined_alone(
    postgres_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    keys = tmp_path_factory.mktemp("keys") / "keyring.json"
    keyring.create(keys)
    refusing = """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.state_text = 'POISON' THEN RAISE EXCEPTION 'refused' USING ERRCODE = '22000'; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON bindings FOR EACH ROW EXECUTE FUNCTION refuse();
    """
    with psycopg.connect(postgres_database) as connection:
        connection.execute(refusing)
    with running_core(database_url=postgres_database, keyring_file=keys) as core:
        key = core.api_key("MGW_PG")
        notices = [
            tsh(key, "binding_update", {"binding_state": "POISON" if n == 5 else "ACTIVE"}, device_id=f"d-{n}")
            for n in range(9)
        ]
        results = record(core, *notices)
        states = ["QUARANTINED" if n == 5 else "APPLIED" for n in range(9)]
        assert told(results) == [("STORED", state) for state in states]
        kept = notification(core, results[5].notification)
        assert kept.quarantine_reason == Reason.QUARANTINE_REASON_STORE_REFUSED
        assert "POISON" in kept.redacted_body
        events = core.admin.events_after("0", merchant_gateway_id="MGW_PG")
        assert len(events) == 9
        again = record(core, *notices)
        assert [each.notification for each in again] == [each.notification for each in results]
        assert len(core.admin.events_after("0", merchant_gateway_id="MGW_PG")) == 9


def test_what_was_kept_in_quarantine_is_applied_once_it_can_be(core: RunningCore, place: str) -> None:
    """The merchant was not bound when it came first; TSH sends it again, now under a key that is bound."""
    bound_elsewhere = core.api_key(place, ["another"])
    first = tsh(bound_elsewhere, "binding_update", {"binding_state": "ACTIVE"}, correlation_id=f"{place}-heals")
    again = tsh(core.api_key(place), "binding_update", {"binding_state": "ACTIVE"}, correlation_id=f"{place}-heals")
    results = [*record(core, first), *record(core, first), *record(core, again), *record(core, again)]
    assert told(results) == [
        ("STORED", "QUARANTINED"),
        ("REPEATED", UNKNOWN),
        ("STORED", "APPLIED"),
        ("REPEATED", UNKNOWN),
    ]
    assert [each.delivery_count for each in stored(core, place)] == [2, 2]
