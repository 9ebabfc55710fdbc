"""A life that a kill cut off, and what must hold after the next start."""

import signal
from collections.abc import Callable, Sequence
from typing import Any

from mintmark.v1 import notifications_pb2

from tests.faults.core_process import SERVER, CoreProcess
from tests.faults.reading import Reading, Seen
from tests.faults.scenario import IMPORTED, UPDATED, Answer, Scenario


def survives(core: CoreProcess, reference: Seen, program: Sequence[str] = SERVER, before: Sequence[str] = ()) -> bool:
    """Runs the scenario on a core that gets killed, starts it again and takes every step once more.

    False where the kill never came.
    """
    core.launch(program, before)
    scenario = Scenario(core)
    acknowledged = dict(scenario.run()) if core.ready() else {}
    if len(acknowledged) == len(scenario.steps()):
        core.kill()
        return False
    assert core.ended() == -signal.SIGKILL, core.log.read_text()
    core.kill()
    core.start()
    holds(core, acknowledged)
    again = Scenario(core).run()
    for name, first in acknowledged.items():
        assert _comparable(again[name]) == _comparable(first), f"another answer to: {name}"
    assert len(again) == len(scenario.steps())
    reading = Reading(core.channel(), core.metadata())
    assert reading.seen() == reference
    _counts_deliveries(reading, recorded="record" in acknowledged)
    return True


def holds(core: CoreProcess, acknowledged: dict[str, Answer]) -> None:
    """What was acknowledged is there right after the restart, before anything is repeated."""
    reading = Reading(core.channel(), core.metadata())
    shown: dict[str, Callable[[], bool]] = {
        "create client": lambda: {each.name for each in reading.clients()} >= {"clients/thales"},
        "create api key": lambda: {each.name for each in reading.api_keys()} >= {"apiKeys/tsh"},
        "apply accounts": lambda: len(reading.accounts()) == 2,
        "record": lambda: len(reading.notifications()) == 3,
        "import": lambda: IMPORTED in {each.name for each in reading.tokens()},
        "disable": lambda: any(each.HasField("disable_time") for each in reading.tokens()),
        "revoke": lambda: any(each.HasField("revoke_time") for each in reading.api_keys()),
    }
    for name, there in shown.items():
        assert name not in acknowledged or there(), f"acknowledged and lost: {name}"
    for name in ("create client", "rotate"):
        if name in acknowledged:
            assert core.metadata_of("thales", acknowledged[name].client_secret)


def _counts_deliveries(reading: Reading, *, recorded: bool) -> None:
    """A delivery that was acknowledged counts; one that was not may count; none counts twice."""
    token = next(each for each in reading.tokens() if each.name == UPDATED)
    counts = {each.delivery_count for each in reading.notifications()} | {token.delivery_count}
    assert len(counts) == 1
    assert counts <= ({2} if recorded else {1, 2})
    assert token.refresh_generation in counts


def _comparable(answer: Answer) -> Any:
    """An answer without what a repeat may not or need not show again."""
    if isinstance(answer, notifications_pb2.RecordNotificationsResponse):
        return [result.notification for result in answer.results]
    bare: Any = type(answer)()
    bare.CopyFrom(answer)
    for secret in ("client_secret", "key", "secret_delivery"):
        if secret in bare.DESCRIPTOR.fields_by_name:
            bare.ClearField(secret)
    return bare
