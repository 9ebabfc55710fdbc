"""The spool: whole or not at all, and gone once the core knows."""

import os
from pathlib import Path

import pytest
from mintmark.v1 import tasks_pb2 as pb

from adapters.outbound import spool as module
from adapters.outbound.spool import MAGIC, Spool, Torn, read

REPORT = pb.RecordAttemptRequest(
    attempt="payments/p/operations/1/attempts/1",
    outcome=pb.CALL_OUTCOME_ANSWERED,
    answer=pb.PartnerAnswer(http_status=201, readable=True, body=b'{"success": true}', success="true"),
)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def test_what_is_kept_is_found_by_the_next_process_until_it_is_forgotten(spool: Spool) -> None:
    entry = spool.keep(REPORT)
    (found,) = Spool(spool.folder).entries()
    assert found == entry
    spool.forget(found)
    spool.forget(found)
    assert list(spool.entries()) == []


def test_an_attempt_has_one_file_for_this_user_only(spool: Spool) -> None:
    spool.keep(REPORT)
    entry = spool.keep(REPORT)
    assert spool.waiting() == [entry.path]
    assert entry.path.stat().st_mode & 0o777 == 0o600
    assert spool.folder.stat().st_mode & 0o777 == 0o700


def test_every_torn_file_is_known_and_set_aside(spool: Spool) -> None:
    whole = spool.keep(REPORT).path.read_bytes()
    path = spool.folder / "torn.attempt"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(Torn):
            read(path)
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(Torn):
            read(path)
    assert len(list(spool.entries())) == 1
    assert [each.name for each in spool.aside.iterdir()] == ["torn.attempt"]


def test_what_is_not_written_to_its_end_never_has_its_name(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="space"):
        spool.keep(REPORT)
    with pytest.raises(OSError, match="space"):
        spool.try_out()
    assert [path for path in spool.folder.iterdir() if path.is_file()] == []


def test_a_whole_answer_whose_writer_died_before_it_was_named_is_not_lost(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = spool.keep(REPORT)
    entry.path.rename(spool.folder / "x.new")
    assert list(spool.entries()) == []
    monkeypatch.setattr(module, "WRITING_S", -1.0)
    assert [each.report for each in spool.entries()] == [REPORT]


def test_another_dispatcher_may_have_told_the_core(spool: Spool) -> None:
    entry = spool.keep(REPORT)
    entries = Spool(spool.folder).entries()
    spool.forget(entry)
    assert list(entries) == []
    spool.set_aside(entry.path)


def test_it_begins_with_what_it_is(spool: Spool) -> None:
    assert spool.keep(REPORT).path.read_bytes().startswith(MAGIC)
