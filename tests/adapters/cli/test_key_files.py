"""`mintmark card-keys` and `card-number-hash-keys`: files of the gateways' keys, changed offline."""

import json
from pathlib import Path
from typing import Any

import pytest
from jwcrypto.jwk import JWK

from adapters.cli.refusals import Refused
from adapters.cli.supervisor import card_keys as first_keys
from adapters.jose.hash_keys import HashKeys
from adapters.jose.keys import PrivateKeys
from adapters.settings import Settings
from tests.adapters.cli.conftest import Command
from tests.adapters.cli.fake_core import FakeCore

KINDS = [
    ("card-keys", "--kid", "kid", "card_keys.json"),
    ("card-number-hash-keys", "--id", "id", HASHES := "card_number_hash_keys.json"),
]


def keys(file: Path) -> list[dict[str, Any]]:
    held: list[dict[str, Any]] = json.loads(file.read_text())["keys"]
    return held


@pytest.mark.parametrize(("command", "option", "name", "file"), KINDS)
def test_a_key_over_its_life(
    mintmark: Command, settings: Path, core: FakeCore, command: str, option: str, name: str, file: str
) -> None:
    place = settings / file
    missing = mintmark(command, "list")
    assert (missing.code, "`add` makes it" in missing.err) == (1, True)
    assert mintmark(command, "add", option, "one").code == 0
    assert place.stat().st_mode & 0o777 == 0o600
    assert mintmark(command, "add", option, "two").code == 0
    assert mintmark(command, "list", "-o", "json").lines == [
        {name: "one", "current": True},
        {name: "two", "current": False},
    ]
    before = keys(place)
    refused = mintmark(command, "remove", "one")
    assert (refused.code, "promote another first" in refused.err) == (1, True)
    assert mintmark(command, "promote", "two").code == 0
    assert keys(place) == before[::-1]
    assert mintmark(command, "list").out.splitlines() == ["two (current)", "one"]
    assert mintmark(command, "remove", "one").code == 0
    assert keys(place) == before[1:]
    assert place.stat().st_mode & 0o777 == 0o600
    assert core.requests == []


@pytest.mark.parametrize(("command", "option", "name", "file"), KINDS)
def test_a_mistake_changes_nothing(
    mintmark: Command, tmp_path: Path, command: str, option: str, name: str, file: str
) -> None:
    place = tmp_path / "elsewhere" / file
    here = ("--file", str(place))
    assert mintmark(command, "add", option, "one", *here).code == 0
    before = place.read_bytes()
    for arguments in (("add", option, "one"), ("add", option, "a\nb"), ("promote", "none"), ("remove", "none")):
        refused = mintmark(command, *arguments, *here)
        assert (refused.code, refused.out) == (1, "")
        assert place.read_bytes() == before
    place.chmod(0o644)
    refused = mintmark(command, "add", *here)
    assert (refused.code, "run chmod 600" in refused.err) == (1, True)
    place.chmod(0o600)
    place.write_text('{"keys": [{"d": "secret-of-the-file"}]}')
    for verb in ("list", "add", "promote x", "remove x"):
        refused = mintmark(command, *verb.split(), *here)
        assert refused.code == 1
        assert "secret-of-the-file" not in refused.err + refused.out
    assert [each.name for each in place.parent.iterdir()] == [file]


@pytest.mark.parametrize(("command", "option", "name", "file"), KINDS)
def test_nothing_shows_a_key(
    mintmark: Command, settings: Path, command: str, option: str, name: str, file: str
) -> None:
    secret = {"kid": "d", "id": "key"}[name]
    shown = ""
    for arguments in (("add",), ("add", option, "two"), ("list",), ("promote", "two"), ("list", "-o", "json")):
        result = mintmark(command, *arguments)
        shown += result.out + result.err
    for key in keys(settings / file):
        assert key[name] in shown
        assert key[secret] not in shown


def test_the_public_part_as_pem(mintmark: Command, settings: Path) -> None:
    mintmark("card-keys", "add", "--kid", "one")
    mintmark("card-keys", "add", "--kid", "two")
    for arguments, place in (((), 0), (("one",), 0), (("two",), 1)):
        pem = mintmark("card-keys", "export-pem", *arguments).out
        found = JWK.from_pem(pem.encode()).export_public(as_dict=True)
        key = keys(settings / "card_keys.json")[place]
        assert [found[name] for name in ("kty", "crv", "x", "y")] == [key[name] for name in ("kty", "crv", "x", "y")]
        assert "PRIVATE" not in pem
    refused = mintmark("card-keys", "export-pem", "none")
    assert (refused.code, refused.out) == (1, "")


def test_serve_makes_both_files_once(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    first_keys.ensure(settings)
    made = [settings.card_keys.read_bytes(), settings.card_number_hash_keys.read_bytes()]
    assert len(PrivateKeys(made[0].decode()).kids) == len(HashKeys(made[1].decode()).ids) == 1
    for path in (settings.card_keys, settings.card_number_hash_keys):
        assert path.stat().st_mode & 0o777 == 0o600
    first_keys.ensure(settings)
    assert [settings.card_keys.read_bytes(), settings.card_number_hash_keys.read_bytes()] == made
    # As after a start that ended between the two.
    settings.card_keys.unlink()
    first_keys.ensure(settings)
    assert settings.card_keys.read_bytes() != made[0]
    assert settings.card_number_hash_keys.read_bytes() == made[1]
    # A new one would find no card.
    settings.card_number_hash_keys.unlink()
    with pytest.raises(Refused, match="bring it back"):
        first_keys.ensure(settings)
    assert not settings.card_number_hash_keys.exists()


@pytest.mark.parametrize(
    "others",
    [
        {"database_url": "postgresql://u@h/d"},
        {"card_keys_file": Path("absent"), "card_number_hash_keys_file": Path("absent")},
    ],
)
def test_serve_makes_none_where_they_are_to_be_given(tmp_path: Path, others: dict[str, Any]) -> None:
    first_keys.ensure(Settings(data_dir=tmp_path, **others))
    assert list(tmp_path.iterdir()) == []
