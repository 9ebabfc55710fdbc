"""TokensService."""

from typing import Any

import pytest
from mintmark.v1 import tokens_pb2 as pb

from tests.server.rpc import notices
from tests.server.rpc.running import RunningCore, Session, refused, request_id

D1 = pb.TokenProvider.TOKEN_PROVIDER_D1_ECOM
TSH = pb.TokenProvider.TOKEN_PROVIDER_TSH


def entry(gateway: str, token_id: str, merchant_id: str = "m-1", **fields: Any) -> pb.TokenImport:
    given = {"provider": D1, **fields}
    return pb.TokenImport(merchant_gateway_id=gateway, merchant_id=merchant_id, token_id=token_id, **given)


def imported(session: Session, *entries: pb.TokenImport) -> pb.ImportTokensResponse:
    return session.tokens.ImportTokens(pb.ImportTokensRequest(request_id=request_id(), tokens=entries))


def get(session: Session, name: str) -> pb.Token:
    return session.tokens.GetToken(pb.GetTokenRequest(name=name)).token


def listed(session: Session, **wanted: Any) -> list[str]:
    request = pb.ListTokensRequest(**wanted)
    return [token.token_id for token in session.tokens.ListTokens(request).tokens]


def name_of(gateway: str, token_id: str, merchant_id: str = "m-1") -> str:
    return f"merchantGateways/{gateway}/merchants/{merchant_id}/tokens/{token_id}"


def test_an_imported_token_is_shown(core: RunningCore, place: str) -> None:
    cursor = core.admin.head()
    card = pb.CardSummaryImport(bin="453421", last_digits="2366", expiry="0420")
    answer = imported(core.admin, entry(place, "t/1 ü", state_text="ACTIVE", card=card))
    assert (answer.created_count, answer.existing_count) == (1, 0)
    token = get(core.admin, f"merchantGateways/{place}/merchants/m-1/tokens/t%2F1%20%C3%BC")
    assert (token.merchant_gateway_id, token.merchant_id, token.token_id) == (place, "m-1", "t/1 ü")
    assert (token.state, token.state_text) == (pb.TokenState.TOKEN_STATE_ACTIVE, "ACTIVE")
    assert (token.card.bin, token.card.last_digits, token.card.expiry) == ("453421", "2366", "0420")
    assert (token.provider, token.delivery_count) == (D1, 0)
    assert token.etag
    assert token.create_time == token.update_time
    assert not token.HasField("disable_time")
    (event,) = core.admin.events_after(cursor)
    assert (event.kind, event.resource, event.actor) == (2, token.name, "clients/admin")
    assert event.token == token


def test_a_token_that_is_known_stays_as_it_is(core: RunningCore, place: str) -> None:
    imported(core.admin, entry(place, "t-1", state_text="ACTIVE"))
    before, cursor = get(core.admin, name_of(place, "t-1")), core.admin.head()
    answer = imported(core.admin, entry(place, "t-1", state_text="DELETED"), entry(place, "t-2"), entry(place, "t-2"))
    assert (answer.created_count, answer.existing_count) == (1, 2)
    assert get(core.admin, name_of(place, "t-1")) == before
    assert len(core.admin.events_after(cursor)) == 1


def test_one_invalid_entry_refuses_the_whole_import(core: RunningCore, place: str) -> None:
    with refused("INVALID_ARGUMENT", "FIELD_INVALID") as told:
        imported(core.admin, entry(place, "good"), entry(place, ""))
    assert told.metadata["field"] == "tokens[1].token_id"
    assert told.metadata["rule"] == "string.min_len"
    assert told.metadata["description"]
    assert told.violations == {"tokens[1].token_id": "string.min_len"}
    assert listed(core.admin, parent=f"merchantGateways/{place}/merchants/-") == []


def test_all_violations_are_told(core: RunningCore, place: str) -> None:
    with refused("INVALID_ARGUMENT", "FIELD_INVALID") as told:
        core.admin.tokens.ImportTokens(pb.ImportTokensRequest(request_id="no uuid", tokens=[entry("", "")]))
    assert set(told.violations) == {"request_id", "tokens[0].merchant_gateway_id", "tokens[0].token_id"}


@pytest.mark.parametrize(
    "fields",
    [
        {"provider": 0},
        {"provider": 99},
        {"card": pb.CardSummaryImport(bin="4534210000")},
        {"card": pb.CardSummaryImport(expiry="1320")},
        {"state_text": "x" * 65},
        {"state_text": "with\0nul"},
    ],
)
def test_odd_imports_are_refused(core: RunningCore, place: str, fields: dict[str, Any]) -> None:
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        imported(core.admin, entry(place, "t-1", **fields))


def test_an_import_too_long_for_a_name_is_refused(core: RunningCore, place: str) -> None:
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        imported(core.admin, entry(place, "ü" * 128, merchant_id="ü" * 128))


def test_importing_for_a_foreign_gateway_looks_as_if_it_were_not_there(core: RunningCore, place: str) -> None:
    shop = core.client(["tokens.read", "tokens.write"], [place], ["m-1"])
    for foreign in (entry(f"{place}x", "t-1"), entry(place, "t-1", merchant_id="m-2")):
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
            imported(shop, entry(place, "mine"), foreign)
    assert listed(core.admin, parent=f"merchantGateways/{place}/merchants/-") == []
    assert imported(shop, entry(place, "mine")).created_count == 1


def test_absent_and_foreign_tokens_look_the_same(core: RunningCore, place: str) -> None:
    imported(core.admin, entry(place, "t-1"), entry(place, "t-1", merchant_id="m-2"))
    shop = core.client(["tokens.read", "tokens.write"], [place], ["m-1"])
    assert get(shop, name_of(place, "t-1")).token_id == "t-1"
    texts = set()
    for name in (name_of(place, "t-1", "m-2"), name_of(place, "absent"), name_of("other", "t-1")):
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND") as told:
            get(shop, name)
        assert told.metadata == {"resource": name}
        texts.add(told.text.replace(name, ""))
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
            shop.tokens.DisableToken(pb.DisableTokenRequest(request_id=request_id(), name=name, reason="x"))
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
            shop.tokens.EnableToken(pb.EnableTokenRequest(request_id=request_id(), name=name))
    assert len(texts) == 1


def test_lists_are_filtered_by_what_the_caller_may_see(core: RunningCore, place: str) -> None:
    imported(core.admin, entry(place, "a"), entry(place, "b", merchant_id="m-2"), entry(f"{place}x", "c"))
    parent = "merchantGateways/-/merchants/-"
    assert listed(core.client(["tokens.read"], [place]), parent=parent) == ["a", "b"]
    assert listed(core.client(["tokens.read"], [place], ["m-2"]), parent=parent) == ["b"]
    assert listed(core.client(["tokens.read"], [place, f"{place}x"])) == ["a", "b", "c"]
    assert listed(core.client(["tokens.read"])) == []
    assert listed(core.client(["tokens.read"], ["*"], ["m-2"]), parent=f"merchantGateways/{place}/merchants/-") == ["b"]
    foreign = core.client(["tokens.read"], ["nothing"])
    assert listed(foreign, parent=f"merchantGateways/{place}/merchants/m-1") == []


def test_lists_are_filtered_by_what_was_asked(core: RunningCore, place: str) -> None:
    sender = core.partner(place)
    imported(
        core.admin,
        entry(place, "active", state_text="ACTIVE"),
        entry(place, "odd", state_text="STRANGE", provider=TSH),
        entry(place, "none", merchant_id="m-2"),
    )
    notices.record(core, notices.d1(sender, place, "due", merchant_id="m-1"))
    name = name_of(place, "active")
    core.admin.tokens.DisableToken(pb.DisableTokenRequest(request_id=request_id(), name=name, reason="lost"))
    everything = f"merchantGateways/{place}/merchants/-"
    assert listed(core.admin, parent=everything) == ["active", "due", "odd", "none"]
    assert listed(core.admin, parent=f"merchantGateways/{place}/merchants/m-2") == ["none"]
    assert listed(core.admin, parent=everything, provider=TSH) == ["odd"]
    assert listed(core.admin, parent=everything, refresh_due=True) == ["due"]
    assert listed(core.admin, parent=everything, disabled=True) == ["active"]
    states = [pb.TokenState.TOKEN_STATE_ACTIVE, pb.TokenState.TOKEN_STATE_UNRECOGNIZED]
    assert listed(core.admin, parent=everything, states=states) == ["active", "odd"]
    unspecified = [pb.TokenState.TOKEN_STATE_UNSPECIFIED]
    assert listed(core.admin, parent=everything, states=unspecified) == ["due", "none"]


@pytest.mark.parametrize("parent", ["merchantGateways/g", "merchants/m", "merchantGateways//merchants/m", "x", "/"])
def test_a_parent_of_another_form_is_refused(core: RunningCore, parent: str) -> None:
    with refused("INVALID_ARGUMENT", "FIELD_INVALID") as told:
        listed(core.admin, parent=parent)
    assert told.metadata["field"] == "parent"


def test_a_disabled_token_is_enabled_again(core: RunningCore, place: str) -> None:
    imported(core.admin, entry(place, "t-1"))
    name, cursor = name_of(place, "t-1"), core.admin.head()
    before = get(core.admin, name)
    disable = pb.DisableTokenRequest(request_id=request_id(), name=name, reason="lost", etag=before.etag)
    disabled = core.admin.tokens.DisableToken(disable).token
    assert disabled.disable_reason == "lost"
    assert disabled.disable_time == disabled.update_time
    assert disabled.etag != before.etag
    again = pb.DisableTokenRequest(request_id=request_id(), name=name, reason="other")
    assert core.admin.tokens.DisableToken(again).token == disabled
    with refused("FAILED_PRECONDITION", "ETAG_MISMATCH") as told:
        core.admin.tokens.EnableToken(pb.EnableTokenRequest(request_id=request_id(), name=name, etag=before.etag))
    assert told.metadata == {"resource": name}
    enabled = core.admin.tokens.EnableToken(pb.EnableTokenRequest(request_id=request_id(), name=name)).token
    assert (enabled.HasField("disable_time"), enabled.disable_reason) == (False, "")
    assert core.admin.tokens.EnableToken(pb.EnableTokenRequest(request_id=request_id(), name=name)).token == enabled
    assert get(core.admin, name) == enabled
    events = core.admin.events_after(cursor)
    assert [(event.kind, dict(event.details)) for event in events] == [(6, {"reason": "lost"}), (7, {})]
    assert [event.token for event in events] == [disabled, enabled]


def test_pages_follow_each_other(core: RunningCore, place: str) -> None:
    imported(core.admin, *(entry(place, f"t-{number:02}") for number in range(7)))
    request = pb.ListTokensRequest(parent=f"merchantGateways/{place}/merchants/-", page_size=3)
    seen: list[list[str]] = []
    while not seen or request.page_token:
        answer = core.admin.tokens.ListTokens(request)
        seen.append([token.token_id for token in answer.tokens])
        request.page_token = answer.next_page_token
        # The size may change from page to page.
        request.page_size = 2
    assert seen == [["t-00", "t-01", "t-02"], ["t-03", "t-04"], ["t-05", "t-06"]]


def test_a_page_is_50_unless_asked_for_more(core: RunningCore, place: str) -> None:
    imported(core.admin, *(entry(place, f"t-{number:02}") for number in range(51)))
    parent = f"merchantGateways/{place}/merchants/-"
    assert len(listed(core.admin, parent=parent)) == 50
    assert len(listed(core.admin, parent=parent, page_size=1000)) == 51
    for size in (-1, 1001):
        with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
            listed(core.admin, parent=parent, page_size=size)


def test_a_page_token_of_another_list_is_refused(core: RunningCore, place: str) -> None:
    imported(core.admin, *(entry(place, f"t-{number:02}") for number in range(3)))
    parent = f"merchantGateways/{place}/merchants/-"
    token = core.admin.tokens.ListTokens(pb.ListTokensRequest(parent=parent, page_size=1)).next_page_token
    flipped = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
    other = core.client(["tokens.read"], [place])
    asked: list[tuple[Session, dict[str, Any]]] = [
        (core.admin, {"parent": parent, "page_token": flipped}),
        (core.admin, {"parent": parent, "page_token": "t-00"}),
        (core.admin, {"parent": parent, "page_token": "💥"}),
        (core.admin, {"parent": "", "page_token": token}),
        (core.admin, {"parent": parent, "page_token": token, "disabled": True}),
        (other, {"parent": parent, "page_token": token}),
    ]
    for session, wanted in asked:
        with refused("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID"):
            listed(session, **wanted)
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        listed(core.admin, parent=parent, page_token="x" * 4097)
