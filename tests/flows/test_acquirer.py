"""An operator and the acquirer, by the command: configs from a file, drift and its healing, a key that is rotated."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.cli.supervisor.acquirer import ACCOUNT
from tests.stack import Stack
from tests.waiting import eventually

MERCHANT = "1000000001"
FILE = f"""
account: {ACCOUNT}
webhook_configs:
  - webhook_config_id: all-cards
    merchant_id: "{MERCHANT}"
    payment_method_codes: [CARD]
  - webhook_config_id: store-7
    merchant_id: "{MERCHANT}"
    acceptor_id: "7"
    payment_method_codes: [CARD, BLIK]
  - webhook_config_id: terminal-50994
    merchant_id: "{MERCHANT}"
    terminal_id: "50994"
    payment_method_codes: [BLIK]
"""
IDS = ["all-cards", "store-7", "terminal-50994"]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    made = Stack(sandbox=True, development=True)
    try:
        yield made.start()
    finally:
        made.remove()


@pytest.fixture(scope="module")
def file(stack: Stack) -> Path:
    """The three configs, applied."""
    eventually(lambda: ACCOUNT in stack.command("accounts", "list").stdout, 30, "the account at the twin")
    path = stack.folder / "webhooks.yaml"
    path.write_text(FILE)
    stack.command("webhooks", "apply", str(path))
    eventually(lambda: states(stack) == dict.fromkeys(IDS, "APPLIED"), 30, "three configs that are applied")
    return path


def configs(stack: Stack) -> dict[str, Any]:
    return {each["desired"]["webhookConfigId"]: each for each in stack.lines("webhooks", "list")}


def states(stack: Stack) -> dict[str, str]:
    return {name: each["state"].removeprefix("WEBHOOK_CONFIG_STATE_") for name, each in configs(stack).items()}


def at_the_twin(stack: Stack) -> dict[str, Any]:
    """What the acquirer has, by its code."""
    return {each["code"]: each for each in stack.lines("sandbox", "sibs", "configs", "list")}


def code_of(stack: Stack, name: str) -> str:
    return str(configs(stack)[name]["notificationConfigurationCode"])


def paid(stack: Stack) -> dict[str, str]:
    """What each transaction means for the books."""
    return {each["transactionId"]: each.get("booking", "") for each in stack.lines("acquirer-transactions", "list")}


def requested(stack: Stack) -> list[Any]:
    """What the acquirer has not got acknowledged."""
    return stack.lines("sandbox", "sibs", "notifications", "list", "--requested")


def rotated(stack: Stack) -> int:
    """How often a key was replaced; the key of a config that had a foreign one at the acquirer is, too."""
    told = stack.lines("events", "tail", "--from", "0", "--until-caught-up")
    return [event["kind"] for event in told].count("EVENT_KIND_WEBHOOK_KEY_ROTATED")


def purchase(stack: Stack, *options: str) -> str:
    (made,) = stack.lines("sandbox", "sibs", "transactions", "create", "purchase", "--amount", "16.20", *options)
    return str(made["transactionId"])


def test_drift_behind_our_back_is_shown_and_healed(stack: Stack, file: Path) -> None:
    assert set(at_the_twin(stack)) == {code_of(stack, name) for name in IDS}
    before = at_the_twin(stack)
    stack.command("sandbox", "sibs", "configs", "drift", code_of(stack, "all-cards"), "--new-key", "--method", "XPAY")
    stack.command("sandbox", "sibs", "configs", "remove", code_of(stack, "store-7"))
    stack.command("webhooks", "refresh", "--account", ACCOUNT)
    assert states(stack) == {"all-cards": "DRIFTED", "store-7": "DRIFTED", "terminal-50994": "APPLIED"}
    found = configs(stack)
    assert {each["field"] for each in found["all-cards"]["differences"]} == {"payment_method_codes", "key"}
    assert {each["field"] for each in found["store-7"]["differences"]} == {"present"}
    planned = {each["webhookConfig"]: each["action"] for each in stack.lines("webhooks", "plan", str(file))}
    assert sum(action.endswith("NONE") for action in planned.values()) == 1
    stack.command("webhooks", "apply", str(file))
    eventually(lambda: set(states(stack).values()) == {"APPLIED"}, 30, "the healing")
    after = at_the_twin(stack)
    assert {code: each["methods"] for code, each in after.items()} == {
        code: each["methods"] for code, each in before.items()
    }
    stack.command("webhooks", "refresh", "--account", ACCOUNT)
    assert set(states(stack).values()) == {"APPLIED"}
    assert "NONE" in stack.command("webhooks", "plan", str(file)).stdout


def test_a_rotated_key_loses_nothing_that_the_acquirer_repeats(stack: Stack, file: Path) -> None:
    """For two months of the acquirer's time it goes on sending what nobody acknowledged, under the key of then."""
    stack.command("sandbox", "sibs", "faults", "clear")
    stack.command("sandbox", "sibs", "habits", "retryKey=first")
    # Nobody can open what is sent now, so that it is sent again later: under the old key.
    stack.command("sandbox", "sibs", "notifications", "add", "damaged-tag", "--tries", "3", "--times", "6")
    made = {purchase(stack, "--terminal", "1") for _ in range(6)}
    eventually(lambda: len(requested(stack)) == 6, 30, "six notifications that were not acknowledged")
    assert not made & set(paid(stack))
    rotations = rotated(stack)
    stack.command("webhooks", "rotate-key", "all-cards")
    eventually(lambda: states(stack)["all-cards"] == "APPLIED", 30, "the acquirer's agreement to the new key")
    fresh = purchase(stack, "--terminal", "1")
    stack.command("sandbox", "sibs", "advance", "61d")
    eventually(lambda: {*made, fresh} <= set(paid(stack)), 30, "everything that was paid")
    assert not requested(stack)
    assert all(paid(stack)[each].endswith("PAID") for each in (*made, fresh))
    # What came with a damaged tag, and again under the old key, is booked once.
    told = stack.lines("events", "tail", "--from", "0", "--until-caught-up")
    for each in (*made, fresh):
        about = [event for event in told if event["resource"].endswith(f"~{each}")]
        assert len(about) == 1, about
    assert rotated(stack) == rotations + 1


def test_the_test_button_and_an_annulment_are_no_payments(stack: Stack, file: Path) -> None:
    known = set(paid(stack))
    stack.command("sandbox", "sibs", "press-test-button", code_of(stack, "all-cards"))
    bought = purchase(stack, "--terminal", "1")
    eventually(lambda: bought in paid(stack), 30, "the purchase")
    assert set(paid(stack)) - known == {bought}
    assert not requested(stack)


def test_a_wrong_file_names_its_lines_and_changes_nothing(stack: Stack, file: Path) -> None:
    wrong = stack.folder / "wrong.yaml"
    wrong.write_text(FILE.replace('terminal_id: "50994"', 'terminal_id: "x"').replace("[CARD]", "[]"))
    held = stack.lines("webhooks", "list")
    refused = stack.command("webhooks", "apply", str(wrong), check=False)
    assert refused.returncode
    said = refused.stdout + refused.stderr
    for number, line in enumerate(wrong.read_text().splitlines(), 1):
        if "[]" in line or '"x"' in line:
            assert f"{number}" in said, said
    assert stack.lines("webhooks", "list") == held


def test_no_key_is_anywhere_in_plain(stack: Stack, file: Path) -> None:
    """The twin keeps the keys in a file of its own; nothing of ours has one."""
    keys = [
        line for line in (stack.data / "sandbox" / "sibs" / "state.jsonl").read_text().split('"') if len(line) == 44
    ]
    assert keys
    ours = [path for path in stack.folder.rglob("*") if path.is_file() and "sandbox" not in path.parts]
    for path in ours:
        content = path.read_bytes()
        assert not [key for key in set(keys) if key.encode() in content], path
