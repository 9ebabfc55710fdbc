"""Credentials that D1 reads, and the record of who had card data opened."""

from itertools import count
from typing import Any

import pytest
from mintmark.v1 import accounts_pb2, card_data_accesses_pb2, card_verifications_pb2

from tests.server.rpc import carding
from tests.server.rpc.carding import accesses, account, active, begin, finish, number, publish, register, results
from tests.server.rpc.running import RunningCore, Session, code_of, refused

_NUMBERS = count(1)
TOLD: dict[str, Any] = {"tell_credentials": True, "store_security_codes": True}


@pytest.fixture
def core(moving: RunningCore) -> RunningCore:
    """A core on each database."""
    publish(moving, "k1", "k2")
    return moving


@pytest.fixture
def place() -> str:
    """An issuer of the test's own."""
    return f"TOLDS{next(_NUMBERS):05}"


@pytest.fixture
def sender(core: RunningCore, place: str) -> str:
    """Who speaks for the issuer, and may have credentials."""
    return account(core, place, d1_public_keys=[carding.pinned("d1")], **TOLD)


def ask(
    core: RunningCore, sender: str, place: str, card_id: str, **more: Any
) -> card_verifications_pb2.ReadCardCredentialsResponse:
    request = card_verifications_pb2.ReadCardCredentialsRequest(sender=sender, issuer_id=place, card_id=card_id, **more)
    return core.gateway.card_verifications.ReadCardCredentials(request)


def finished(core: RunningCore, access: str, **finding: Any) -> str:
    request = card_verifications_pb2.FinishCardVerificationRequest(card_data_access=access, **finding)
    return code_of(lambda: core.gateway.card_verifications.FinishCardVerification(request))


def test_card_data_is_told_as_it_rests_and_the_access_is_written(core: RunningCore, place: str, sender: str) -> None:
    card = active(core, place, "c-1", has_security_code=True)
    told = ask(core, sender, place, "c-1", correlation_id="corr-1")
    kept = core.core.store.view.cards.card(card.name)
    assert kept is not None
    assert (told.encrypted_card, told.directory) == (kept.encrypted_card, False)
    (access,) = accesses(core.admin, issuer_id=place)
    assert (access.name, access.card, access.sender) == (told.card_data_access, card.name, sender)
    assert access.correlation_id == "corr-1"
    assert results(core.admin, issuer_id=place) == [("CREDENTIALS", "SUCCEEDED")]
    assert finished(core, told.card_data_access, unreadable=True) == "OK"
    assert finished(core, told.card_data_access, unreadable=True) == "OK"
    assert finished(core, told.card_data_access, findings={"expiry": 2, "security_code": 2}) == "INVALID_ARGUMENT"
    assert results(core.admin, issuer_id=place) == [("CREDENTIALS", "UNREADABLE")]


def test_a_card_that_is_not_in_use_is_not_told_and_that_is_written_too(
    core: RunningCore, place: str, sender: str
) -> None:
    register(core.admin, place, "c-1")
    carding.suspend(core.admin, active(core, place, "c-2", has_security_code=True).name)
    carding.delete(core.admin, active(core, place, "c-3", has_security_code=True).name)
    for card_id in ("c-1", "c-2", "c-3", "none", "c/%"):
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
            ask(core, sender, place, card_id)
    assert results(core.admin, issuer_id=place) == [("CREDENTIALS", "NO_USABLE_CARD")] * 5
    assert [each.card.rpartition("/")[2] for each in accesses(core.admin, issuer_id=place)] == [
        "",
        "",
        "c-3",
        "c-2",
        "c-1",
    ]


def test_a_card_without_a_security_code_is_told_only_where_the_issuer_says_so(
    core: RunningCore, place: str, sender: str
) -> None:
    active(core, place, "c-1")
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        ask(core, sender, place, "c-1")
    key = [carding.pinned("d1")]
    account(core, place, d1_public_keys=key, tell_credentials=True, tell_credentials_without_security_code=True)
    assert ask(core, sender, place, "c-1").encrypted_card


def test_who_may_not_have_credentials_is_refused_before_anything_is_written(
    core: RunningCore, place: str, sender: str
) -> None:
    active(core, place, "c-1", has_security_code=True)
    other = f"TOLDS{next(_NUMBERS):05}"
    foreign = account(core, other, d1_public_keys=[carding.pinned("d1")], **TOLD)
    with refused("PERMISSION_DENIED", "ISSUER_CALL_NOT_ALLOWED") as told:
        ask(core, foreign, place, "c-1")
    assert told.metadata == {"account": sender, "setting": "sender"}
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        ask(core, sender, "NOBODYS000", "c-1")
    account(core, place, card_verification="CARD_VERIFICATION_MODE_WITHOUT_SECURITY_CODE", store_security_codes=True)
    with refused("PERMISSION_DENIED", "ISSUER_CALL_NOT_ALLOWED") as told:
        ask(core, sender, place, "c-1")
    assert told.metadata == {"account": sender, "setting": "tell_credentials"}
    assert accesses(core.admin, issuer_id=place) == []


def test_the_issuers_own_system_tells_where_there_is_one(core: RunningCore, place: str, sender: str) -> None:
    active(core, place, "c-1", has_security_code=True)
    directory = accounts_pb2.CardDirectory(address="cms.example:443", public_key=carding.pinned("cms"))
    account(core, place, d1_public_keys=[carding.pinned("d1")], directory=directory, **TOLD)
    told = ask(core, sender, place, "not-here")
    assert (told.directory, told.encrypted_card) == (True, "")
    assert results(core.admin, issuer_id=place) == [("CREDENTIALS", "UNSPECIFIED")]
    result = "CARD_DATA_ACCESS_RESULT_LEFT_TO_DIRECTORY"
    assert finished(core, told.card_data_access, directory_result=result) == "OK"
    assert results(core.admin, issuer_id=place) == [("CREDENTIALS", "LEFT_TO_DIRECTORY")]


def test_the_record_is_narrowed_and_paged_the_newest_first(core: RunningCore, place: str, sender: str) -> None:
    pan = number()
    account(
        core,
        place,
        d1_public_keys=[carding.pinned("d1")],
        card_verification="CARD_VERIFICATION_MODE_WITH_SECURITY_CODE",
        **TOLD,
    )
    card = active(core, place, "c-1", pan, has_security_code=True).name
    finish(core, begin(core, sender, place, pan).card_data_access, "EQUAL", "DIFFERENT")
    ask(core, sender, place, "c-1")
    begin(core, sender, place, number())
    wrong, unknown = ("VERIFICATION", "SECURITY_CODE_WRONG"), ("VERIFICATION", "NO_USABLE_CARD")
    asked = ("CREDENTIALS", "SUCCEEDED")
    assert results(core.admin, issuer_id=place) == [unknown, asked, wrong]
    assert results(core.admin, card=card) == [asked, wrong]
    assert results(core.admin, issuer_id=place, purposes=["CARD_DATA_PURPOSE_VERIFICATION"]) == [unknown, wrong]
    chosen = ["CARD_DATA_ACCESS_RESULT_SECURITY_CODE_WRONG"]
    assert results(core.admin, issuer_id=place, results=chosen) == [wrong]
    names = [each.name for each in accesses(core.admin, issuer_id=place)]
    paged: list[str] = []
    token = ""
    while token or not paged:
        request = card_data_accesses_pb2.ListCardDataAccessesRequest(issuer_id=place, page_size=1, page_token=token)
        page = core.admin.card_data_accesses.ListCardDataAccesses(request)
        paged += [each.name for each in page.card_data_accesses]
        token = page.next_page_token
    assert paged == names == sorted(names, reverse=True)


def test_each_issuer_sees_accesses_to_its_own_cards_only(core: RunningCore, place: str, sender: str) -> None:
    ask_nothing(core, sender, place)
    other = f"TOLDS{next(_NUMBERS):05}"
    ask_nothing(core, account(core, other, d1_public_keys=[carding.pinned("d1")], **TOLD), other)
    made = core.create(["card_data_accesses.read"], issuers=[place])
    bound = core.session(made.client.client_id, made.client_secret)
    unbound: Session = core.client(["card_data_accesses.read"], ["*"])
    assert {each.issuer_id for each in accesses(bound)} == {place}
    assert accesses(bound, issuer_id=other) == []
    assert accesses(unbound) == []
    assert {place, other} <= {each.issuer_id for each in accesses(core.admin)}


def ask_nothing(core: RunningCore, sender: str, place: str) -> None:
    assert code_of(lambda: ask(core, sender, place, "none")) == "NOT_FOUND"


def test_a_card_number_in_a_correlation_id_is_cut(core: RunningCore, place: str, sender: str) -> None:
    active(core, place, "c-1", has_security_code=True)
    ask(core, sender, place, "c-1", correlation_id="4111111111111111")
    ask(core, sender, place, "c-1", correlation_id="a\0b")
    assert [each.correlation_id for each in accesses(core.admin, issuer_id=place)] == ["a\\0b", "411111******1111"]
