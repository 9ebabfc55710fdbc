"""A card number in every answer of the partner: it is in nothing that we write, say or count."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faults.payments.books import settled, state, wrong
from tests.faults.payments.orders import CANARY
from tests.faults.payments.payer import USUAL
from tests.faults.payments.till import (
    DECLINED,
    DISPATCHER,
    PARTIAL,
    UNCLEAR_CHARGED,
    Till,
    spelled,
)
from tests.faults.reading import Reading
from tests.plain import PLAIN
from tests.waiting import eventually

KEPT = "after replace"
LONG_S = 120.0
METHODS = (USUAL, spelled(DECLINED), spelled(PARTIAL), spelled(UNCLEAR_CHARGED))


def written(text: str) -> list[bytes]:
    """The number as it may be written."""
    parts = [text[place : place + 4] for place in range(0, len(text), 4)]
    return [separator.join(parts).encode() for separator in ("", " ", "-")]


@pytest.fixture
def till() -> Iterator[Till]:
    made = Till(settings={"MINTMARK_LOG_LEVEL": "debug", "MINTMARK_TRACES": "file"})
    try:
        yield made.start()
    finally:
        made.remove()


def _hits(folder: Path) -> list[str]:
    """Files of ours with the number in them; what the twin writes is not ours."""
    files = [file for file in folder.rglob("*") if file.is_file() and "sandbox" not in str(file.relative_to(folder))]
    assert any(file.suffix == ".attempt" for file in files), "there is nothing in the spool to be looked into"
    assert {"mintmark.sqlite", "traces.jsonl", "log", "dispatcher-1.log"} <= {file.name for file in files}
    return [str(file) for file in files for number in written(CANARY) if number in file.read_bytes()]


def _metrics(till: Till) -> bytes:
    """Those of the core and of the dispatcher."""
    texts = []
    for role in ("admin", "dispatcher-1"):
        transport = httpx.HTTPTransport(uds=str(till.folder / f"{role}.sock"), verify=PLAIN)
        with httpx.Client(transport=transport, base_url="http://role") as client:
            answer = client.get("/metrics")
            assert answer.status_code == 200
            texts.append(answer.content)
    return b"\n".join(texts)


@pytest.mark.campaign
@pytest.mark.timeout(400)
def test_card_numbers_are_in_no_byte_of_ours(till: Till) -> None:
    faults = [
        {"fault": "card-number", "endpoint": endpoint, "times": 0, "number": CANARY}
        for endpoint in ("payment", "status")
    ]
    till.partner.control("PUT", "/faults", {"faults": faults})
    names = [till.create(till.order(number, method)).name for number, method in enumerate(METHODS, 1)]
    eventually(lambda: all(settled(till.get(name)) for name in names), LONG_S, "the end of the payments")
    eventually(lambda: state(till.get(names[-1])) == "CAPTURED", LONG_S, "the status of what was unclear")
    metrics = _metrics(till)
    # The last answer stays in the spool: the dispatcher dies with it.
    dispatcher, file = till.dispatchers[0], till.folder / "places"
    dispatcher.kill()
    place = ("-m", "tests.faults.payments.signalled_dispatcher", str(file), "0", "SIGKILL")
    dispatcher.program = place
    dispatcher.start()
    Path(f"{file}.armed").touch()
    eventually(file.exists, LONG_S, "the dispatcher")
    names.append(till.create(till.order(len(names) + 1)).name)
    eventually(lambda: KEPT in file.read_text(), LONG_S, "an answer in the spool")
    at = file.read_text().splitlines().index(KEPT) + 1
    eventually(lambda: state(till.get(names[-1])) == "CAPTURED", LONG_S, "its end")
    dispatcher.kill()
    dispatcher.program = (*place[:2], str(till.folder / "places-2"), str(at), "SIGKILL")
    Path(f"{till.folder / 'places-2'}.armed").touch()
    dispatcher.start()
    names.append(till.create(till.order(len(names) + 1)).name)
    eventually(lambda: not dispatcher.alive, LONG_S, "the death of the dispatcher with an answer in its spool")
    assert not (hits := _hits(till.folder)), hits
    dispatcher.program = DISPATCHER
    dispatcher.start()
    eventually(lambda: state(till.get(names[-1])) == "CAPTURED", LONG_S, "the answer from the spool")
    assert not (found := wrong(till)), found
    told = [str(each) for name in names for each in till.evidence(name)] + [str(till.get(name)) for name in names]
    told += [str(each) for each in Reading(till.core.channel(), till.core.metadata()).events()]
    assert any("400005******5556" in text for text in told), "the number has never come this far"
    for text in ("\n".join(told).encode(), metrics):
        assert not any(number in text for number in written(CANARY))
