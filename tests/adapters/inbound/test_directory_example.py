"""The README's example of an issuer's own system, run as it stands there."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from jwcrypto.jwk import JWK
from mintmark.v1 import accounts_pb2
from mintmark.v1.card_verifications_pb2 import CardVerificationAnswer

from adapters.inbound.directory_failures import DirectoryNotFound, DirectoryUnavailable
from tests.adapters.inbound.asking import BY, CARD, ISSUER, Asking
from tests.adapters.inbound.fake_directory import FakeDirectory
from tests.flows.test_readme import blocks

OTP = '{"otp":{"value":"8430917"},"deliveryChannel":"SMS"}'


@dataclass
class Example:
    """The example, running."""

    process: subprocess.Popen[str]
    key: JWK
    port: int

    def account(self) -> accounts_pb2.Account:
        account = FakeDirectory().account(ISSUER, address=f"127.0.0.1:{self.port}")
        key = account.d1_issuer.directory.public_key
        key.public_key, key.thumbprint = self.key.export_public(), self.key.thumbprint()
        key.key_id = "issuer-1"
        return account


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Example]:
    key = JWK.generate(kty="EC", crv="P-256")
    (tmp_path / "issuer-key.json").write_text(key.export_private())
    [source] = blocks("An issuer's own system", "python")
    command = [sys.executable, "-W", "error", "-c", source]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield Example(process, key, int(process.stdout.readline().split()[-1]))
    process.kill()
    process.wait(10)
    process.stdout.close()


def test_the_example(example: Example, asking: Asking) -> None:
    asking.state(example.account())
    good = CardVerificationAnswer(card_id="card-1", consumer_id="consumer-1", security_code_valid=True)
    assert asking.verify() == good
    assert asking.verify({"pan": CARD["pan"]}) == good
    for _ in range(3):
        wrong = asking.verify({**CARD, "cvv": "321"})
        assert (wrong.security_code_valid, wrong.verification_attempts_exceeded) == (False, False)
    past = asking.verify()
    assert (past.security_code_valid, past.verification_attempts_exceeded) == (False, True)
    assert asking.verify({"pan": "4000000000000002"}) == CardVerificationAnswer(
        card_invalid=True, security_code_valid=True
    )
    expired = asking.verify({**CARD, "exp": "0101"})
    assert (expired.card_id, expired.card_invalid, expired.security_code_valid) == ("card-1", True, False)

    deliver = asking.directories.deliver_one_time_password
    asking.run(deliver(BY, "consumer-1", "", OTP))
    with pytest.raises(DirectoryNotFound):
        asking.run(deliver(BY, "consumer-2", "", OTP))
    with pytest.raises(DirectoryUnavailable):
        asking.run(asking.directories.activate_physical_card(BY, "card-1", ""))
    example.process.kill()
    assert example.process.communicate()[0].splitlines() == ["to consumer-1 by SMS: 7 digits"]
