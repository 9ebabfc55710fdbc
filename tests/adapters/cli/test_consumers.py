"""`mintmark consumers` against a real core; and the files that a person's data comes from."""

import io
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from mintmark.v1 import consumers_pb2 as pb

from adapters.cli.personal_files import LONGEST, read_person
from adapters.cli.refusals import Refused
from tests.adapters.cli.test_payments import Command
from tests.server.rpc.running import RunningCore, running_core

_NUMBERS = count(1)
YAML = """\
first_name: Inês
lastName: Zzquorvath
date_of_birth: 1990-02-28
mobile_phone_country_code: +351
mobile_phone_number: 912345678
residency_address: {city: Lisboa, zip_code: 0100, country_code: PT}
"""
WHOLE = pb.PersonalData(
    first_name="Inês",
    last_name="Zzquorvath",
    date_of_birth="1990-02-28",
    mobile_phone_country_code="+351",
    mobile_phone_number="912345678",
    residency_address=pb.PostalAddress(city="Lisboa", zip_code="0100", country_code="PT"),
)


@pytest.fixture(scope="module")
def running() -> Iterator[RunningCore]:
    with running_core() as core:
        yield core


@pytest.fixture
def mintmark(running: RunningCore, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(running, monkeypatch, capfd)


@pytest.fixture
def place() -> str:
    return f"ISSUER{next(_NUMBERS):04}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path, YAML)


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "person.yaml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_a_consumer_from_its_registration_to_its_end(mintmark: Command, place: str, file: Path) -> None:
    own = "0d1f6f0e-2b07-4c80-9f0b-3d55ad0df0a2"
    register = ("consumers", "register", place, "c-1", "--personal-data", str(file), "--request-id", own)
    (made,) = mintmark.json(*register)
    name = f"issuers/{place}/consumers/c-1"
    assert (made["name"], made["state"]) == (name, "CONSUMER_STATE_ACTIVE")
    assert mintmark.json(*register) == [made], "the same command again does it only once"
    (shown,) = mintmark.json("consumers", "show", name)
    assert shown["personalData"]["lastName"] == "Zzquorvath"
    file.write_text('{"firstName": "Ana"}')
    (changed,) = mintmark.json("consumers", "replace", name, "--personal-data", str(file))
    assert mintmark.json("consumers", "show", name)[0]["personalData"] == {"firstName": "Ana"}
    states = []
    for verb in ("suspend", "resume", "delete"):
        (after,) = mintmark.json("consumers", verb, name)
        states.append(after["state"].removeprefix("CONSUMER_STATE_"))
        listed = mintmark.json("consumers", "list", "--issuer", place, "--state", states[-1].lower())
        assert listed == [after]
    assert states == ["SUSPENDED", "ACTIVE", "DELETED"]
    assert "personalData" not in {**made, **changed, **after}
    table = mintmark("consumers", "list", "--issuer", place)
    assert name in table.out
    assert "DELETED" in table.out


def test_what_is_done_does_not_show_the_person(mintmark: Command, place: str, file: Path) -> None:
    done = mintmark("consumers", "register", place, "c-1", "--personal-data", str(file))
    assert done.code == 0
    assert "Zzquorvath" not in done.out + done.err
    refused = mintmark("consumers", "register", place, "c-1", "--personal-data", str(file))
    assert refused.code == 1
    assert "exists already" in refused.err
    assert "Zzquorvath" not in refused.out + refused.err


def test_a_person_may_come_from_stdin(mintmark: Command, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"first_name": "Zoë"})))
    assert mintmark("consumers", "register", place, "c-1").code == 0
    (shown,) = mintmark.json("consumers", "show", f"issuers/{place}/consumers/c-1")
    assert shown["personalData"] == {"firstName": "Zoë"}


def test_what_the_core_refuses_is_named_and_not_shown(mintmark: Command, place: str, file: Path) -> None:
    file.write_text(YAML.replace("1990-02-28", "1990-02-30"))
    refused = mintmark("consumers", "register", place, "c-1", "--personal-data", str(file))
    assert refused.code == 1
    assert "personal_data.date_of_birth" in refused.err
    assert "1990" not in refused.err


@pytest.mark.parametrize("text", [YAML, YAML.replace("first_name", "firstName"), "\ufeff" + YAML])
def test_yaml_is_read_as_text(tmp_path: Path, text: str) -> None:
    """A date stays as it is written, a postal code keeps its zero."""
    assert read_person(written(tmp_path, text)) == WHOLE


def test_an_empty_file_is_nobody(tmp_path: Path) -> None:
    assert read_person(written(tmp_path, "")) == read_person(written(tmp_path, "{}")) == pb.PersonalData()


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(Refused) as caught:
        read_person(written(tmp_path, YAML, mode))
    assert caught.value.advice == f"chmod 600 {tmp_path}/person.yaml"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- Zzquorvath", "mapping"),
        ("Zzquorvath", "mapping"),
        ("first_name: [Zzquorvath]", "line 1"),
        ("title: x\nsurname: Zzquorvath", "line 2"),
        ("title: x\nresidency_address: Zzquorvath", "line 2"),
        ("residency_address:\n  street: Zzquorvath", "line 1"),
        ("title: x\ntitle: Zzquorvath", "line 2"),
        ("residency_address:\n  city: x\n  city: Zzquorvath", "line 3"),
        ("first_name: 'Zzquorvath", "neither YAML nor JSON"),
        ("first_name: {Zzquorvath", "neither YAML nor JSON"),
        ("&a {residency_address: *a}", "mapping"),
        (f"{{{'[' * 3000}", "mapping"),
        (f"title: {'Zzquorvath' * 2000}", str(LONGEST)),
    ],
)
def test_what_is_no_person_is_refused_and_not_shown(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(Refused) as caught:
        read_person(written(tmp_path, text))
    shown = f"{caught.value} {[f'{each.field} {each.description}' for each in caught.value.violations]}"
    assert told in shown
    assert "Zzquorvath" not in shown


def test_a_file_that_is_not_there_or_not_text_is_wrong_usage(tmp_path: Path) -> None:
    binary = written(tmp_path, "")
    binary.write_bytes(b"\xff\xfe\xfd")
    for path in (tmp_path / "none", binary):
        with pytest.raises(Refused) as caught:
            read_person(path)
        assert caught.value.code == 2


def test_a_terminal_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("first_name: x"))
    with pytest.raises(Refused) as caught:
        read_person(Path("-"))
    assert caught.value.code == 2


def fields(message: Any) -> set[str]:
    return {field.name for field in message.DESCRIPTOR.fields}


def test_every_field_of_a_person_can_be_in_a_file(tmp_path: Path) -> None:
    address = {name: f"a {name}" for name in fields(pb.PostalAddress())}
    person = {name: f"a {name}" for name in fields(pb.PersonalData())} | {"residency_address": address}
    read = read_person(written(tmp_path, json.dumps(person)))
    assert {field.name for field, _ in read.ListFields()} == set(person)
    assert {field.name for field, _ in read.residency_address.ListFields()} == set(address)
