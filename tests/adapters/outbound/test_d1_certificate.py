"""Calls to a D1 that wants to see our certificate (mTLS), and that an authority of its own speaks for."""

import asyncio
import ssl
from pathlib import Path

import pytest

from adapters.outbound.outcomes import Answered, NotSent, Result
from adapters.outbound.transport import Transport, presenting
from tests.adapters.outbound.running import DispatcherProcess
from tests.adapters.outbound.test_transport import OK, Partner, saying
from tests.flows.test_tls import Authority
from tests.server.rpc.running import running_core


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "d1-authority")


def ask(authority: Authority, tls: ssl.SSLContext | None) -> tuple[Result, int]:
    """What came of a call, and how many requests D1 has seen."""
    wanted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.file)
    wanted.verify_mode = ssl.CERT_REQUIRED
    pair = authority.issue("d1")
    wanted.load_cert_chain(pair.certificate, pair.key)

    async def work() -> tuple[Result, int]:
        partner = Partner(saying(OK))
        server = await asyncio.start_server(partner.take, "127.0.0.1", 0, ssl=wanted)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
        transport = Transport(1, tls=tls)
        try:
            return await transport.call("GET", url, {}, b"", total=5), len(partner.heads)
        finally:
            await transport.aclose()
            server.close()
            await partner.close()

    return asyncio.run(work())


def test_our_certificate_is_shown(authority: Authority) -> None:
    ours = authority.issue("TLSMA-EC-ours")
    result, seen = ask(authority, presenting(ours.certificate, ours.key, authority.file))
    assert isinstance(result, Answered)
    assert (result.http_status, seen) == (200, 1)


def test_without_one_nothing_is_answered(authority: Authority) -> None:
    result, seen = ask(authority, presenting(None, None, authority.file))
    assert not isinstance(result, Answered)
    assert seen == 0


def test_an_authority_that_nobody_has_named_is_not_trusted(authority: Authority) -> None:
    ours = authority.issue("TLSMA-EC-ours")
    result, seen = ask(authority, presenting(ours.certificate, ours.key, None))
    assert isinstance(result, NotSent)
    assert seen == 0


@pytest.mark.parametrize("broken", ["absent", "other", "encrypted"])
def test_files_that_cannot_be_used_are_refused_at_the_start(authority: Authority, tmp_path: Path, broken: str) -> None:
    ours, others = authority.issue("ours"), authority.issue("others")
    key = {"absent": tmp_path / "none", "other": others.key, "encrypted": tmp_path / "locked.pem"}[broken]
    locked = "-----BEGIN ENCRYPTED PRIVATE" + " KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE" + " KEY-----\n"
    (tmp_path / "locked.pem").write_text(locked)
    with pytest.raises((OSError, ssl.SSLError)):
        presenting(ours.certificate, key, None)


def test_the_dispatcher_says_which_settings_are_wrong(tmp_path: Path) -> None:
    with running_core() as core:
        files = {f"MINTMARK_DISPATCHER_D1_{name}": str(tmp_path / "none") for name in ("CERTIFICATE", "KEY")}
        process = DispatcherProcess(core, tmp_path / "dispatcher", **files)
        process.launch()
        assert process.ended() == 2
        assert "MINTMARK_DISPATCHER_D1_CERTIFICATE" in process.logged()
