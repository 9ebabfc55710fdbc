"""`mintmark sandbox get-consumer`, against a sandbox that serves and an issuer that answers by script."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.sandbox.d1_consumers import unread
from tests.adapters.cli.conftest import Command
from tests.adapters.sandbox.gateway import DROP, Gateway, settings_for
from tests.adapters.sandbox.running import running

PLACE = "/banking/d1/v1/issuers/ISSUER0002/consumers/c%2F7"
ASK = ("sandbox", "get-consumer", "--issuer", "ISSUER0002", "--consumer", "c/7")
ANA = {
    "language": "pt-PT",
    "firstName": "Ana Zzquorvath",
    "mobilePhoneNumber": {"countryCode": "+351", "phoneNumber": "912345678"},
    "residencyAddress": {"city": "Lisboa", "countryCode": "PT"},
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Gateway]:
    server = Gateway()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("twins")


@pytest.fixture(scope="module")
def address(issuer: Gateway, folder: Path) -> Iterator[str]:
    with running(settings_for(issuer, folder)) as control:
        yield f"{control.base_url.host}:{control.base_url.port}"


@pytest.fixture
def twin(address: str, issuer: Gateway, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """The issuer that the running twin asks."""
    monkeypatch.setenv("MINTMARK_SANDBOX_ADDRESS", address)
    issuer.documents[PLACE] = issuer.documents[f"{PLACE}?cardId=card-1"] = (200, ANA)
    yield issuer
    issuer.received.clear()
    issuer.documents.clear()


def test_a_consumer_is_shown_veiled_unless_it_is_asked_for(mintmark: Command, twin: Gateway, folder: Path) -> None:
    asked = mintmark(*ASK, "--card", "card-1", "--correlation-id", "x-1")
    assert (asked.code, asked.out.splitlines()) == (
        0,
        [
            "language: *",
            "firstName: *",
            "mobilePhoneNumber.countryCode: *",
            "mobilePhoneNumber.phoneNumber: *",
            "residencyAddress.city: *",
            "residencyAddress.countryCode: *",
        ],
    )
    (call,) = twin.received
    assert (call.path, call.headers["x-correlation-id"]) == (f"{PLACE}?cardId=card-1", "x-1")
    assert call.headers["authorization"].startswith("Bearer at-")
    (shown,) = mintmark(*ASK, "--reveal", "--output", "json").lines
    assert (shown["status"], shown["consumer"]) == (200, ANA)
    for file in (path for path in folder.rglob("*") if path.is_file()):
        assert "Zzquorvath" not in file.read_text()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((404, {"error": "Resource not found"}), "404 Resource not found"),
        ((403, {}), "403"),
        ((DROP, {}), "RemoteProtocolError"),
        ((200, {**ANA, "surname": "Zzquorvath"}), "surname"),
        ((200, {"firstName": ""}), "firstName"),
        ((200, ["Zzquorvath"]), "no JSON object"),
    ],
)
def test_what_is_no_answer_is_exit_code_1(mintmark: Command, twin: Gateway, answer: tuple[int, Any], told: str) -> None:
    twin.documents[PLACE] = answer
    result = mintmark(*ASK)
    assert (result.code, told in result.err) == (1, True), result.err
    assert "Zzquorvath" not in result.out + result.err


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (ANA, []),
        ({}, []),
        ({"title": 1}, ["title"]),
        ({"language": "portuguese"}, ["language"]),
        ({"dateOfBirth": "28.02.1990"}, ["dateOfBirth"]),
        ({"mobilePhoneNumber": "912345678"}, ["mobilePhoneNumber"]),
        ({"mobilePhoneNumber": {"countryCode": "351"}}, ["mobilePhoneNumber.countryCode"]),
        ({"residencyAddress": {}}, ["residencyAddress"]),
        (
            {"residencyAddress": {"countryCode": "PRT", "street": "x"}},
            ["residencyAddress.countryCode", "residencyAddress.street"],
        ),
    ],
)
def test_d1_reads_what_the_contract_says(answer: dict[str, Any], names: list[str]) -> None:
    assert unread(answer) == names
