"""The examples of the README, run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT
from tests.stack import Stack
from tests.waiting import eventually

README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent


def blocks(heading: str, language: str) -> list[str]:
    """The examples in one section."""
    _, _, after = README.partition(f"\n## {heading}\n")
    section = after.partition("\n## ")[0]
    found = re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert found
    return found


@pytest.fixture
def run(running_stack: Stack, tmp_path: Path) -> "Runner":
    return Runner(running_stack, tmp_path)


class Runner:
    """Runs an example against the stack: the addresses are the stack's, everything else is as written."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder

    def __call__(self, *command: str, example: str) -> list[str]:
        example = example.replace("http://127.0.0.1:8080", self._stack.http_url)
        example = example.replace("http://127.0.0.1:8090", self._stack.sandbox_url)
        example = example.replace("127.0.0.1:50051", self._stack.grpc_address)
        environment = {**self._stack.environment, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
        result = subprocess.run(
            [*command, example],
            cwd=self._folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert result.returncode == 0, f"{example}\n{result.stdout}{result.stderr}"
        return result.stdout.splitlines()


def test_what_partners_and_services_do(run: Runner) -> None:
    for example in blocks("As a partner", "sh"):
        assert run("sh", "-ec", example=example)[-1] == "204"
    for example in blocks("As an internal service", "sh"):
        run("sh", "-ec", example=example)
    client, subscription, stubs, reflection = blocks("As an internal service", "python")
    known = "merchantGateways/MGW_000002/merchants/10610027312/tokens/readme-token 1"
    assert known in run(sys.executable, "-c", example=stubs)
    shown = run(sys.executable, "-c", example=client)
    assert known in shown
    assert [line for line in shown if line.startswith("RESOURCE_NOT_FOUND merchantGateways/MGW_000002/")]
    assert [line for line in shown if "EVENT_KIND_BINDING_CREATED" in line and "readme-device" in line]
    pulled = run(sys.executable, "-c", example=subscription)
    assert [line for line in pulled if "EVENT_KIND_BINDING_CREATED" in line and "readme-device" in line]
    again = run(sys.executable, "-c", example=subscription)
    assert [line.split()[0] for line in again] == ["lag"]
    assert "ES256" in "".join(run(sys.executable, "-c", example=reflection))


def test_paying(run: Runner, running_stack: Stack) -> None:
    token = "merchantGateways/SHOP_000001/merchants/shop-0001/tokens"
    eventually(lambda: token in running_stack.command("tokens", "list").stdout, 30, "the token to pay with")
    (example,) = blocks("Paying", "sh")
    shown = run("sh", "-ec", example=example)
    ends = [line for line in shown if line.startswith("PAYMENT_STATE_")]
    assert ends == ["PAYMENT_STATE_CAPTURED", "PAYMENT_STATE_CAPTURED", "PAYMENT_STATE_DECLINED"]


def test_a_hosted_page(run: Runner, running_stack: Stack) -> None:
    token = "merchantGateways/SHOP_000001/merchants/shop-0001/tokens"
    eventually(lambda: token in running_stack.command("tokens", "list").stdout, 30, "the account to pay through")
    (example,) = blocks("Hosted payment pages", "sh")
    shown = run("sh", "-ec", example=example)
    assert [line for line in shown if line.startswith("the link: http://127.0.0.1:")]
    assert "provider: PAYMENT_OPTIONS" in shown
    assert [line for line in shown if line.startswith("card: ") and "520000" in line and "1005" in line]
    assert shown[-1] == "PAYMENT_STATE_CAPTURED"


def test_payment_subscriptions(run: Runner, running_stack: Stack) -> None:
    (example,) = blocks("Payment subscriptions", "sh")
    shown = run("sh", "-ec", example=example)
    states = [line for line in shown if line.startswith("state: ")]
    assert (states[0], states[-1]) == ("state: ACTIVE", "state: CANCELLED")
    (paid,) = [line for line in shown if "readme-contract-1" in line and "1960 JPY" in line]
    assert "CAPTURED" in paid


def test_payments_against_the_twin(run: Runner) -> None:
    (example,) = blocks("Trying payments against the twin", "sh")
    shown = run("sh", "-ec", example=example)
    assert [line for line in shown if line.isdigit()] == ["201", "201", "500", "000"]
    assert "no answer, and nobody knows" in shown
    ledger = [line for line in shown if " readme-" in line and "answer" in line]
    assert [" moved " in line for line in ledger] == [True, False, True, True]
    assert [line.partition("answer ")[2].partition("#")[0] for line in ledger] == [
        *("clean", "clean", "ambiguous  status"),
        "none  reset",
    ]


def test_the_acquirer_against_the_twin(run: Runner) -> None:
    (gateway,) = blocks("Trying the acquirer against the twin", "python")
    shown = run(sys.executable, "-c", example=gateway)
    assert shown == ["ACTC 000", "PURS CARD Success {'currency': 'EUR', 'value': 16.2}"]
    (example,) = blocks("Trying the acquirer against the twin", "sh")
    shown = run("sh", "-ec", example=example)
    told = [line.split()[1:4] for line in shown if "ConnectError" in line]
    assert told == [["Requested", "PURS", "Pending"], ["Requested", "PURS", "Success"]]


def test_the_acquirers_webhook_configs(run: Runner, running_stack: Stack) -> None:
    (example,) = blocks("The acquirer (SIBS)", "sh")
    shown = run("sh", "-ec", example=example)
    states = [line.split()[1] for line in shown if line.lstrip().startswith("shop-cards ")]
    assert states == ["APPLIED", "DRIFTED", "APPLIED"]
    done = [word for line in shown for word in line.split() if word in ("CREATE", "REAPPLY")]
    assert done == [*["CREATE"] * 3, "REAPPLY"]

    def paid() -> bool:
        listed = running_stack.command("acquirer-transactions", "list", "--merchant-gateway", "SIBS_SHOP")
        return "PAID" in listed.stdout

    eventually(paid, 30, "the notification")


def test_what_d1_tells_a_card_issuer(run: Runner) -> None:
    (example,) = blocks("Card issuers (D1)", "sh")
    shown = run("sh", "-ec", example=example)
    assert "204" in shown
    (listed,) = [line.split() for line in shown if line.startswith(" issuers/")]
    assert listed[:5] == ["issuers/ISSUER_001/cards/card-1/operations/op-1", "CARD", "card-1", "PRODUCE", "SUCCESSFUL"]
    assert "state: SUCCESSFUL" in shown
    (quarantined,) = [line for line in shown if "BATCH_ITEM_INVALID" in line and line.startswith(" notifications/")]
    assert "D1_CARD_OPERATION" in quarantined
    assert [line for line in shown if "ISSUER_OPERATION_UPDATED" in line and "state=SUCCESSFUL" in line]


def test_issuers_cards(run: Runner) -> None:
    (example,) = blocks("Issuers' cards", "sh")
    shown = run("sh", "-ec", example=example)
    codes = [line for line in shown if line.startswith("verificationResults.securityCode.valid")]
    assert [line.rpartition(" ")[2] for line in codes] == ["true", "false", "false"]
    invalid = [line for line in shown if line.startswith("verificationResults.card.invalid")]
    assert [line.rpartition(" ")[2] for line in invalid] == ["false", "false", "true"]
    assert "verificationResults.card.lostOrStolen: true" in shown
    assert {"pan: *1111", "cvv: *"} <= set(shown)
    accesses = [line for line in shown if "issuers/ISSUER0001/cards/readme-card-1" in line and "clients/" in line]
    assert [line.split()[3] for line in accesses if line.startswith(" 20")] == [
        *("VERIFICATION", "CREDENTIALS", "VERIFICATION", "VERIFICATION", "FINGERPRINT"),
    ]
    assert shown.count("state: DELETED") == 1


def test_issuers_consumers(run: Runner) -> None:
    (example,) = blocks("Issuers' consumers", "sh")
    shown = run("sh", "-ec", example=example)
    assert [line for line in shown if line.startswith("firstName")] == [
        "firstName: *",
        "firstName: Inês",
        "firstName: *",
    ]
    assert {"dateOfBirth: 1990-02-28", "mobilePhoneNumber.phoneNumber: 912345678"} <= set(shown)
    assert {"residencyAddress.zipCode: 1000-001", "residencyAddress.countryCode: PT"} <= set(shown)
    (listed,) = [line.split() for line in shown if line.startswith(" issuers/ISSUER0001/consumers/readme-")]
    assert listed[:2] == ["issuers/ISSUER0001/consumers/readme-person-1", "SUSPENDED"]
    assert shown.count("state: DELETED") == 1


def test_a_notification_is_found_understood_and_replayed(run: Runner) -> None:
    (example,) = blocks("Find, understand and replay a notification", "sh")
    shown = "\n".join(run("sh", "-ec", example=example))
    assert shown.count("MERCHANT_NOT_BOUND") >= 2
    assert '"deviceId": "device-1"' in shown
    assert shown.index("nothing differs") < shown.index("nothing was changed") < shown.index("; replayed")
    assert "applied_count: 1" in shown
    assert all(f"tokens/t/bindings/{device}" in shown for device in ("device-1", "device-2"))


def test_what_services_do_over_http(run: Runner) -> None:
    shown = "\n".join(run("sh", "-ec", example="\n".join(blocks("Over HTTP (REST)", "sh"))))
    name = "merchantGateways/MGW_000002/merchants/10610027312/tokens/rest-1"
    assert '{"createdCount":1,"existingCount":0}' in shown
    assert '"reason":"RESOURCE_NOT_FOUND"' in shown
    assert shown.count(f'"resource":"{name}"') == 2
    assert "event: EVENT_KIND_TOKEN_DISABLED" in shown
