"""What becomes of TSH's notifications about tokens and merchants."""

from mintmark.v1 import notifications_pb2, tokens_pb2

from tests.server.rpc.notices import MERCHANT, record, told, tsh
from tests.server.rpc.readings import kinds, merchant, notification, token
from tests.server.rpc.running import RunningCore

Flag = notifications_pb2.NotificationFlag
STORED = ("STORED", "APPLIED")
STALE = ("STORED", "STALE")
EARLY, LATE = "2017-11-10T09:08:24.479Z", "2017-11-13T11:12:41.165Z"


def test_a_token_is_created_and_updated(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    card = {"card_bin": "453421", "card_last_digits": "2366", "card_expiry": "0420"}
    more = {"token_last_digits": "5589", "token_expiry": "1022", "payment_account_reference": "par"}
    assert told(record(core, tsh(key, "token_creation", {**card, **more, "creation_timestamp": EARLY}))) == [STORED]
    first = token(core, place)
    assert (first.state, first.provider) == (tokens_pb2.TokenState.TOKEN_STATE_CREATED, 2)
    assert (first.card.bin, first.card.last_digits, first.card.expiry) == ("453421", "2366", "0420")
    assert (first.token_last_digits, first.token_expiry, first.payment_account_reference) == ("5589", "1022", "par")
    changed = {"token_state": "SUSPENDED", "card_expiry": "0424", "last_update_timestamp": LATE}
    assert told(record(core, tsh(key, "token_update", changed))) == [STORED]
    second = token(core, place)
    assert (second.state, second.state_text) == (tokens_pb2.TokenState.TOKEN_STATE_SUSPENDED, "SUSPENDED")
    assert (second.card.bin, second.card.expiry, second.refresh_generation) == ("453421", "0424", 0)
    assert told(record(core, tsh(key, "token_update", {"token_state": "ACTIVE", "last_update_timestamp": EARLY}))) == [
        STALE
    ]
    assert kinds(core, place) == ["TOKEN_CREATED", "TOKEN_UPDATED"]


def test_an_unknown_token_state_is_kept_as_it_came(core: RunningCore, place: str) -> None:
    (result,) = record(core, tsh(core.api_key(place), "token_update", {"token_state": "MELTED"}))
    known = token(core, place)
    assert (known.state, known.state_text) == (tokens_pb2.TokenState.TOKEN_STATE_UNRECOGNIZED, "MELTED")
    assert Flag.NOTIFICATION_FLAG_VALUE_UNRECOGNIZED in notification(core, result.notification).flags


def test_a_token_that_could_not_be_created_is_told_of(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    failed = tsh(key, "token_creation", {"error_code": "NON_RETRYABLE_ERROR"}, token_id="")
    (first,) = record(core, failed)
    assert told([first]) == [STORED]
    assert record(core, failed)[0].notification == first.notification
    (event,) = core.admin.events_after("0", merchant_gateway_id=place)
    assert (event.kind, dict(event.details)) == (5, {"error_code": "NON_RETRYABLE_ERROR"})
    assert event.resource == f"merchantGateways/{place}/merchants/{MERCHANT}"
    wanted = tokens_pb2.ListTokensRequest(parent=f"merchantGateways/{place}/merchants/-")
    assert not core.admin.tokens.ListTokens(wanted).tokens


def test_a_merchants_registrations_are_kept_by_scheme(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    visa = {"scheme": "VISA", "token_requestor_id": "40000000080", "last_update_timestamp": LATE}
    failed = {"scheme": "MASTERCARD", "error_code": "NON_RETRYABLE_ERROR", "last_update_timestamp": EARLY}
    assert told(record(core, tsh(key, "merchant_update", visa), tsh(key, "merchant_update", failed))) == [STORED] * 2
    known = merchant(core, place)
    shown = [(each.scheme_text, each.scheme, each.error_code) for each in known.scheme_registrations]
    assert shown == [("MASTERCARD", 2, "NON_RETRYABLE_ERROR"), ("VISA", 3, "")]
    assert known.scheme_registrations[1].token_requestor_id == "40000000080"
    # Each scheme has an order of its own.
    works = {"scheme": "MASTERCARD", "mastercard_service_id": "s", "last_update_timestamp": "2017-11-11T00:00:00Z"}
    older = {"scheme": "VISA", "token_requestor_id": "other", "last_update_timestamp": EARLY}
    assert told(record(core, tsh(key, "merchant_update", works), tsh(key, "merchant_update", older))) == [STORED, STALE]
    known = merchant(core, place)
    assert [each.error_code for each in known.scheme_registrations] == ["", ""]
    assert known.scheme_registrations[1].token_requestor_id == "40000000080"
    assert known.delivery_count == 4
    assert kinds(core, place) == ["MERCHANT_UPDATED"] * 3


def test_a_merchant_repeat_without_a_message_id_is_known_by_scheme(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    visa, other = (tsh(key, "merchant_update", {"scheme": each}, correlation_id=None) for each in ("VISA", "X"))
    assert [told(record(core, each))[0][0] for each in (visa, other, visa)] == ["STORED", "STORED", "REPEATED"]


def test_a_page_of_long_texts_ends_before_it_gets_too_long_for_a_message(core: RunningCore, place: str) -> None:
    sender = core.api_key(place)
    long = "p" * 60_000
    notices = [
        tsh(sender, "token_update", {"token_state": "ACTIVE", "payment_account_reference": long}, token_id=f"t-{each}")
        for each in range(24)
    ]
    for begin in range(0, 24, 8):
        record(core, *notices[begin : begin + 8])
    request = tokens_pb2.ListTokensRequest(parent=f"merchantGateways/{place}/merchants/-", page_size=1000)
    seen, pages = [], 0
    while pages == 0 or request.page_token:
        page = core.admin.tokens.ListTokens(request)
        assert page.ByteSize() < 2 * 1024 * 1024
        seen += [token.token_id for token in page.tokens]
        request.page_token = page.next_page_token
        pages += 1
    assert pages > 1
    assert sorted(seen) == sorted(f"t-{each}" for each in range(24))
