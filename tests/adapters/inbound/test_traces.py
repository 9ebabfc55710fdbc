"""The gateway's spans in a file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.adapters.inbound.running import Running
from tests.waiting import eventually

BODY = {"merchantId": "m", "scheme": "VISA"}


def test_traces_in_a_file_survive_that_it_is_moved_away(start: Callable[..., Running], tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    gateway = start(MINTMARK_TRACES="file", MINTMARK_TRACES_FILE=str(file))
    gateway.tsh("/notify-merchant-update", BODY, **{"x-correlation-id": "before"})
    eventually(lambda: file.exists() and "before" in file.read_text())
    file.rename(file.with_suffix(".1"))
    gateway.tsh("/notify-merchant-update", BODY, **{"x-correlation-id": "later"})

    def requests() -> list[dict[str, Any]]:
        spans = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [span for span in spans if span["attributes"].get("mintmark.correlation_id") == "later"]

    (request, *_) = eventually(lambda: [span for span in requests() if span["name"].startswith("POST")])
    assert (request["role"], request["kind"], request["parent_id"]) == ("gateway", "server", "")
    assert file.stat().st_mode & 0o777 == 0o600


def test_only_a_caller_that_the_gateway_knows_is_followed(start: Callable[..., Running], tmp_path: Path) -> None:
    gateway = start(MINTMARK_TRACES="file", MINTMARK_TRACES_FILE=str(tmp_path / "traces.jsonl"))
    good = gateway.core.sign()
    asked = [
        ("/v1/jwks", f"Bearer {good}"),
        ("/v1/jwks", "Bearer not-ours"),
        ("/v1/jwks", f"Bearer {gateway.core.sign(client_id='nobody', sub='nobody')}"),
        ("/v1/jwks", ""),
        ("/v1/nothing", f"Bearer {good}"),
        ("/.well-known/jwks.json", ""),
        ("/docs", ""),
    ]
    theirs = [f"{'ab' * 15}{number:02x}" for number in range(1, len(asked) + 1)]
    for trace, (path, authorization) in zip(theirs, asked, strict=True):
        headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"} | (
            {"authorization": authorization} if authorization else {}
        )
        gateway.client.get(path, headers=headers)

    def told() -> list[str]:
        return [line["trace_id"] for line in gateway.logged() if line["event"] == "request"]

    traces = eventually(lambda: found if len(found := told()) == len(asked) else [])
    assert [trace in theirs for trace in traces] == [True] + [False] * (len(asked) - 1)
