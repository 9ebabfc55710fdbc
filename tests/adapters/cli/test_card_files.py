"""Card data from a file or stdin: what is taken, what is refused, and that nothing of it is shown."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.cli.card_files import MEMBERS, read_card
from adapters.cli.refusals import Refused

NUMBER = "4111111111111111"
CARD = {"pan": NUMBER, "exp": "1230", "name": "Zoë", "cvv": "987"}


VALUES = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=40) | st.from_regex(r"[0-9]{4,19}", fullmatch=True)
)
DOCUMENTS = st.dictionaries(st.sampled_from([*MEMBERS, "PAN"]) | st.text(max_size=20), VALUES, max_size=7)


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "card.json"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_file_that_only_we_may_read_is_taken(tmp_path: Path) -> None:
    full = {**CARD, "auxiliaryPan": "5555555555554444", "auxiliaryExp": "0131"}
    for card in ({"pan": NUMBER, "exp": "1230"}, CARD, full):
        assert json.loads(read_card(written(tmp_path, json.dumps(card)))) == card


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o644])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(Refused) as caught:
        read_card(written(tmp_path, json.dumps(CARD), mode))
    assert caught.value.advice == f"chmod 600 {tmp_path}/card.json"


@pytest.mark.parametrize(
    "text",
    [
        "",
        NUMBER,
        "[]",
        "{",
        "[" * 4000,
        json.dumps({**CARD, "name": "x" * 5000}),
        f'{{"pan": "{NUMBER}", "pan": "{NUMBER}", "exp": "1230"}}',
        '{"pan": NaN, "exp": "1230"}',
        json.dumps({"exp": "1230"}),
        json.dumps({"pan": NUMBER}),
        json.dumps({**CARD, NUMBER: "x"}),
        json.dumps({**CARD, "pan": int(NUMBER)}),
        json.dumps({**CARD, "pan": f"{NUMBER}9876"}),
        json.dumps({**CARD, "pan": "4111 1111 1111 1111"}),
        json.dumps({**CARD, "pan": f"{NUMBER}\n"}),
        json.dumps({**CARD, "exp": "3012"}),
        json.dumps({**CARD, "cvv": "98"}),
        json.dumps({**CARD, "cvv": None}),
        json.dumps({**CARD, "name": ""}),
        json.dumps({**CARD, "auxiliaryPan": NUMBER}),
        json.dumps({**CARD, "auxiliaryExp": "1230"}),
    ],
)
def test_what_is_no_card_data_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(Refused) as caught:
        read_card(written(tmp_path, text))
    shown = f"{caught.value} {caught.value.violations}"
    assert not [secret for secret in (NUMBER, "411111", "987") if secret in shown]
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_file_that_is_not_there_or_not_text_is_wrong_usage(tmp_path: Path) -> None:
    binary = written(tmp_path, "")
    binary.write_bytes(b"\xff\xfe")
    for path in (tmp_path / "none", binary, tmp_path):
        with pytest.raises(Refused) as caught:
            read_card(path)
        assert caught.value.code in (1, 2)


@given(DOCUMENTS | st.lists(VALUES, max_size=3) | VALUES)
def test_whatever_comes_is_taken_as_it_is_or_refused_without_showing_it(document: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO(json.dumps(document)))
        try:
            taken = read_card(Path("-"))
        except Refused as refused:
            # The one expiry date that the advice names.
            told = f"{refused} {refused.violations}".replace('"1230"', "")
            assert not [digits for digits in re.findall(r"[0-9]{4,}", json.dumps(document)) if digits in told]
        else:
            assert json.loads(taken) == document
            assert {"pan", "exp"} <= document.keys() <= MEMBERS.keys()
