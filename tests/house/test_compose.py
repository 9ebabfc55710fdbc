"""compose.yaml: what it sets exists, and what it starts can be started."""

import re
from typing import Any

import pytest
import yaml

import adapters.settings
import server.settings
from tests.house.test_readme import COMMANDS
from tests.house.tree import ROOT

FILE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
OURS = {name: service for name, service in FILE["services"].items() if service["image"] == "mintmark"}


def environment(service: dict[str, Any]) -> dict[str, str]:
    values = {name: str(value) for name, value in service.get("environment", {}).items()}
    return {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in values.items()}


def test_every_role_is_there() -> None:
    started = {service.get("command") for service in OURS.values()}
    assert {"core", "gateway", "dispatcher", "migrate"} <= started
    assert {(command,) for command in started if command} <= set(COMMANDS)


@pytest.mark.parametrize("name", OURS)
def test_the_settings_of_a_service_are_right(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = environment(OURS[name])
    known = {
        f"MINTMARK_{field.upper()}"
        for settings in (server.settings.Settings, adapters.settings.Settings)
        for field in settings.model_fields
    }
    assert set(given) <= known
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    assert server.settings.load().database_url.startswith("postgresql://")
    assert adapters.settings.load().grpc_address.endswith(":50051")


def test_images_are_pinned_and_secrets_are_obvious_fakes() -> None:
    for service in FILE["services"].values():
        assert service["image"] == "mintmark" or re.search(r":\d+\.\d+", service["image"])
    text = (ROOT / "compose.yaml").read_text()
    assert set(re.findall(r"(?i)password:-([^}]+)\}", text)) == {"not-a-secret"}


def test_nothing_is_published_beyond_this_machine() -> None:
    for service in FILE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_keys_of_cards_are_with_the_gateways_alone() -> None:
    """Whoever has the database must not have them."""
    with_keys = {name for name, service in OURS.items() if any("card-keys:" in each for each in service["volumes"])}
    assert with_keys == {"card-keys", "gateway"}
    for name in with_keys:
        (mounted,) = [each.partition(":")[2] for each in OURS[name]["volumes"] if each.startswith("card-keys:")]
        for variable in ("MINTMARK_CARD_KEYS_FILE", "MINTMARK_CARD_NUMBER_HASH_KEYS_FILE"):
            assert environment(OURS[name])[variable].startswith(f"{mounted}/")
        assert mounted in (ROOT / "Dockerfile").read_text()
