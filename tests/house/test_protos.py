"""What the schema promises about itself."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor, ServiceDescriptor
from mintmark.v1 import options_pb2

from server.domain import scopes
from server.domain.events import EventKind
from tests.house.tree import ROOT

BIN = Path(sys.executable).parent
READING = re.compile(r"(Get|List|Stream|Watch|Plan|Introspect)[A-Z]")


def files() -> list[str]:
    return sorted(path.stem for path in (ROOT / "protos/mintmark/v1").glob("*.proto"))


def services() -> Iterator[ServiceDescriptor]:
    for name in files():
        yield from importlib.import_module(f"mintmark.v1.{name}_pb2").DESCRIPTOR.services_by_name.values()


METHODS = {method.full_name: method for service in services() for method in service.methods}


def policy(method: MethodDescriptor) -> options_pb2.RpcPolicy:
    return method.GetOptions().Extensions[options_pb2.policy]


def rules(field: FieldDescriptor) -> validate_pb2.FieldRules:
    found: validate_pb2.FieldRules = field.GetOptions().Extensions[validate_pb2.field]
    return found


@pytest.mark.parametrize("name", METHODS)
def test_every_method_says_who_may_call_it(name: str) -> None:
    said = policy(METHODS[name])
    assert [bool(said.scope), said.anonymous, said.any_client].count(True) == 1


@pytest.mark.parametrize("name", METHODS)
def test_every_method_that_writes_is_safe_to_repeat(name: str) -> None:
    method = METHODS[name]
    field = method.input_type.fields_by_name.get("request_id")
    reads = READING.match(method.name) is not None
    if reads or policy(method).naturally_idempotent:
        assert field is None
    else:
        assert field is not None
        assert rules(field).string.uuid
        assert not rules(field).ignore


@pytest.mark.parametrize("name", METHODS)
def test_every_list_has_pages(name: str) -> None:
    method = METHODS[name]
    if method.name.startswith("List") and method.name != "ListEvents":
        assert {"page_size", "page_token"} <= set(method.input_type.fields_by_name)
        assert "next_page_token" in method.output_type.fields_by_name


def test_scopes_are_named_after_nouns() -> None:
    scopes = {policy(method).scope for method in METHODS.values()} - {""}
    wrong = {scope for scope in scopes if not re.fullmatch(r"role\.[a-z]+|[a-z_]+\.[a-z]+", scope)}
    assert not wrong


def test_scopes_are_those_that_the_domain_grants() -> None:
    """`access_tokens.introspect` widens a method that any client may call, and `d1-notify` is a partner's alone."""
    asked = {policy(method).scope for method in METHODS.values()} - {""}
    assert asked <= scopes.INTERNAL | scopes.ROLES
    assert scopes.INTERNAL - {"access_tokens.introspect"} <= asked


def test_roles_only_methods_are_internal() -> None:
    for name, method in METHODS.items():
        if policy(method).scope.startswith("role."):
            assert policy(method).internal, name


def test_text_that_callers_send_is_bounded() -> None:
    """Every text and every list in a request has a length, so that a message cannot fill the store."""
    unbounded = []
    for method in METHODS.values():
        for field in method.input_type.fields:
            said = rules(field)
            if field.is_repeated:
                bounded = said.repeated.HasField("max_items") or said.map.HasField("max_pairs")
            elif field.type == field.TYPE_STRING:
                text = said.string
                bounded = text.HasField("max_len") or text.HasField("len") or text.uuid or text.HasField("pattern")
            else:
                continue
            if not bounded:
                unbounded.append(field.full_name)
    assert not unbounded


def test_every_kind_of_event_is_known_to_the_domain() -> None:
    kinds = importlib.import_module("mintmark.v1.events_pb2").EventKind.keys()
    assert {f"EVENT_KIND_{kind}" for kind in EventKind} == set(kinds) - {"EVENT_KIND_UNSPECIFIED"}


def test_no_package_hides_another_below_generated() -> None:
    assert not list((ROOT / "generated").rglob("__init__.py*"))


def generate(folder: Path, *arguments: str) -> None:
    """Runs the generator of the protos that are in `folder`."""
    command = [sys.executable, str(folder / "protos/generate.py"), *arguments]
    environment = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(command, check=True, cwd=folder, env=environment, capture_output=True)


def lint(folder: Path) -> str:
    generate(folder, "image", str(folder / "image.binpb"))
    command = [str(BIN / "buf"), "lint", str(folder / "image.binpb"), "--config", str(folder / "protos/buf.yaml")]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def stubs(folder: Path) -> dict[str, bytes]:
    generate(folder, "stubs", str(folder / "generated"))
    return contents(folder / "generated")


def contents(folder: Path) -> dict[str, bytes]:
    kept = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


@pytest.fixture
def protos(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "protos", tmp_path / "protos")
    return tmp_path


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "protos/mintmark/v1/money.proto"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_generated_is_what_the_protos_say(protos: Path) -> None:
    assert stubs(protos) == contents(ROOT / "generated")


def test_a_changed_proto_is_noticed(protos: Path) -> None:
    change(protos, "string currency_code = 2", "string currency_code = 3")
    assert stubs(protos) != contents(ROOT / "generated")


def test_the_protos_pass_their_lint(protos: Path) -> None:
    assert lint(protos) == ""


def test_a_field_without_a_comment_is_noticed(protos: Path) -> None:
    change(protos, "message Money {", "message Money {\n  string silent = 9;\n")
    assert 'Field "silent" should have a non-empty comment' in lint(protos)
