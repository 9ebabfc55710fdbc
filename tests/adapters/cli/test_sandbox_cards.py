"""`mintmark sandbox verify-card` and others, against a sandbox that serves and an issuer that answers by script."""

import json
from collections.abc import Iterator
from pathlib import Path

import jwskate
import pytest
from joserfc.jwk import ECKey

from tests.adapters.cli.conftest import Command
from tests.adapters.sandbox.gateway import Gateway, settings_for
from tests.adapters.sandbox.running import running

OURS = ECKey.generate_key("P-256", {"kid": "ours"}, private=True)
KEYS = "/.well-known/card-keys.json"
VERIFY = "/cms/api/v1/issuers/ISSUER0002/cards/credentials"
CREDENTIALS = "/cms/api/v1/issuers/ISSUER0002/cards/c-1/credentials"
ANSWER = {
    "cardId": "c-1",
    "verificationResults": {"card": {"invalid": False}, "securityCode": {"valid": True}},
}
ISSUER = ("--issuer", "ISSUER0002")


@pytest.fixture(scope="module")
def issuer() -> Iterator[Gateway]:
    server = Gateway()
    server.documents = {KEYS: (200, {"keys": [OURS.as_dict(private=False)]}), VERIFY: (200, ANSWER)}
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def address(issuer: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(settings_for(issuer, tmp_path_factory.mktemp("twins"))) as control:
        yield f"{control.base_url.host}:{control.base_url.port}"


@pytest.fixture
def twin(address: str, issuer: Gateway, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """The issuer that the running twin asks."""
    monkeypatch.setenv("MINTMARK_SANDBOX_ADDRESS", address)
    issuer.received.clear()
    return issuer


def sent(twin: Gateway) -> dict[str, str]:
    """The card data of the last call."""
    compact = jwskate.JweCompact(twin.received[-1].json["encryptedData"])
    card: dict[str, str] = json.loads(bytes(compact.decrypt(jwskate.Jwk(OURS.as_dict(private=True)), alg="ECDH-ES")))
    return card


def test_a_sample_is_verified(mintmark: Command, twin: Gateway) -> None:
    more = ("--card", "proposed", "--card-bin", "41111111", "--field", "cvv=999", "--field", "name")
    result = mintmark("sandbox", "verify-card", *ISSUER, "--sample", "visa", *more, "--correlation-id", "x-1")
    assert (result.code, result.out.splitlines()) == (
        0,
        ["cardId: c-1", "verificationResults.card.invalid: false", "verificationResults.securityCode.valid: true"],
    )
    assert sent(twin) == {"pan": "4111111111111111", "exp": "1230", "cvv": "999"}
    body = twin.received[-1].json
    assert (body["cardId"], body["cardBin"]) == ("proposed", "41111111")
    assert twin.received[-1].headers["x-correlation-id"] == "x-1"
    (document,) = mintmark("sandbox", "verify-card", *ISSUER, "--sample", "visa", "--output", "json").lines
    assert (document["status"], document["answer"]) == (200, ANSWER)


def test_card_data_comes_from_stdin_or_a_file(mintmark: Command, twin: Gateway, tmp_path: Path) -> None:
    sample = mintmark("sandbox", "sample-card", "amex").out
    assert mintmark("sandbox", "verify-card", *ISSUER, "--card-data", "-", stdin=sample).code == 0
    assert sent(twin) == json.loads(sample)
    file = tmp_path / "card.json"
    file.write_text(sample)
    file.chmod(0o644)
    assert "chmod 600" in mintmark("sandbox", "verify-card", *ISSUER, "--card-data", str(file)).err
    file.chmod(0o600)
    assert mintmark("sandbox", "verify-card", *ISSUER, "--card-data", str(file)).code == 0


def test_credentials_are_shown_veiled_unless_they_are_asked_for(mintmark: Command, twin: Gateway) -> None:
    key = mintmark("sandbox", "d1-key", "--output", "json").lines[0]
    card = {"pan": "4111111111111111", "exp": "1230", "cvv": "987"}
    jwe = jwskate.JweCompact.encrypt(json.dumps(card).encode(), jwskate.Jwk(key["jwk"]), alg="ECDH-ES", enc="A256GCM")
    twin.documents[CREDENTIALS] = (200, {"encryptedData": str(jwe)})
    arguments = ("sandbox", "get-credentials", *ISSUER, "--card", "c-1")
    assert mintmark(*arguments).out.splitlines() == ["pan: *1111", "exp: 1230", "cvv: *"]
    assert mintmark(*arguments, "--output", "json").lines[0]["card"] == {"pan": "*1111", "exp": "1230", "cvv": "*"}
    assert mintmark(*arguments, "--reveal").out.splitlines() == [f"{name}: {value}" for name, value in card.items()]


def test_the_key_is_shown_as_the_accounts_file_takes_it(mintmark: Command, twin: Gateway) -> None:
    shown = dict(line.split(": ", 1) for line in mintmark("sandbox", "d1-key").out.splitlines())
    jwk = json.loads(shown["public_key"].strip("'"))
    assert (jwk["kid"], "d" in jwk) == (shown["thumbprint"], False)


def test_what_is_no_answer_is_exit_code_1(mintmark: Command, twin: Gateway) -> None:
    result = mintmark("sandbox", "get-credentials", "--issuer", "ISSUER0003", "--card", "c-1")
    assert (result.code, "D1 was answered 204" in result.err) == (1, True)
    twin.documents[CREDENTIALS] = (403, {"error": "not allowed"})
    result = mintmark("sandbox", "get-credentials", *ISSUER, "--card", "c-1")
    assert (result.code, "D1 was answered 403 not allowed" in result.err) == (1, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify-card", *ISSUER),
        ("verify-card", *ISSUER, "--sample", "visa", "--card-data", "-"),
        ("verify-card", *ISSUER, "--card-data", "-", "--field", "cvv=1"),
        ("sample-card", "diners"),
    ],
)
def test_wrong_usage(mintmark: Command, twin: Gateway, arguments: tuple[str, ...]) -> None:
    assert mintmark("sandbox", *arguments, stdin="{}").code == 2
    assert twin.received == []


def test_keys_given_by_hand_are_taken(mintmark: Command, twin: Gateway, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [{**OURS.as_dict(private=False), "kid": "by hand"}]}))
    assert mintmark("sandbox", "configure", "--card-keys", str(keys)).code == 0
    assert mintmark("sandbox", "verify-card", *ISSUER, "--sample", "visa").code == 0
    assert jwskate.JweCompact(twin.received[-1].json["encryptedData"]).headers["kid"] == "by hand"
    for wrong in ("{}", "[]", "{", '{"keys": 1}'):
        keys.write_text(wrong)
        assert mintmark("sandbox", "configure", "--card-keys", str(keys)).code == 2
