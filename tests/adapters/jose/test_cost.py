"""What a hostile JWE costs, counted in calls and not in time: nothing is decoded that is too large, nothing reaches a
library that the wall refuses, and whatever is left costs one key agreement."""

import sys
import zlib
from collections import Counter
from types import FrameType
from typing import Any

import pytest

from adapters.jose.encryption import JweInvalid
from tests.adapters.jose.composed import composed
from tests.adapters.jose.test_encryption import CIPHERTEXT, HEADERS, IV, JWE, OPENER, SEALED_TEXTS, TAG, header, refused


class Work:
    """Counts the calls that are made, and those of them that belong to a library or decode something."""

    def __init__(self) -> None:
        self.calls = 0
        self.decoding: Counter[str] = Counter()
        self.libraries: Counter[str] = Counter()

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            self.calls += 1
            module = frame.f_globals.get("__name__", "").partition(".")[0]
            if module in {"jwcrypto", "cryptography"}:
                self.libraries[module] += 1
            if module in {"base64", "json", "zlib"}:
                self.decoding[module] += 1
        elif event == "c_call":
            self.calls += 1
            name = argument.__name__
            if name in {"exchange", "derive_private_key", "generate_private_key"}:
                self.libraries[name] += 1
            if name in {"a2b_base64", "decompress", "decompressobj", "decode"}:
                self.decoding[name] += 1


def work_of(compact: str) -> Work:
    work = Work()
    before = sys.getprofile()
    sys.setprofile(work)
    try:
        OPENER.open(compact)
    except JweInvalid:
        pass
    finally:
        sys.setprofile(before)
    return work


def test_the_work_of_a_good_one_is_noticed() -> None:
    work = work_of(JWE)
    assert work.libraries["exchange"] == 1
    assert work.libraries["jwcrypto"] > 5
    assert work.decoding["json"]


def zip_bomb(size: int) -> bytes:
    packing = zlib.compressobj(9, wbits=-15)
    return packing.compress(bytes(size)) + packing.flush()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(composed(header(zip="DEF"), zip_bomb(64 << 20)), id="64 MiB from a zip bomb"),
        pytest.param(composed(header(cty="x" * (1 << 20))), id="a header of 1 MiB"),
        pytest.param(f"{'A' * 2736}..{IV}.{CIPHERTEXT}.{TAG}", id="a header past its limit, the whole within"),
        pytest.param("." * (1 << 20), id="dots"),
        pytest.param("A" * (1 << 20), id="no dots"),
    ],
)
def test_what_is_too_large_is_not_decoded(text: str) -> None:
    work = work_of(text)
    assert not work.decoding
    assert not work.libraries
    assert work.calls < 12


def test_no_hostile_header_reaches_a_library() -> None:
    hostile = [composed(each) for each in HEADERS] + SEALED_TEXTS
    hostile.append(composed(header(zip="DEF"), zip_bomb(4 << 20)))
    for each in hostile:
        work = work_of(each)
        assert not work.libraries
        assert work.calls < 300


def test_a_hostile_body_costs_one_key_agreement() -> None:
    """However long it is, and with everything that a header may hold."""
    full = header(apu="A" * 400, apv="A" * 400, **{f"m{number}": [] for number in range(60)})
    forged = [composed(shared=bytes(32)), composed(full, bytes(4000), shared=bytes(32)), JWE[:-22] + "A" * 22]
    for each in forged:
        refused(each)
        work = work_of(each)
        assert work.libraries["exchange"] == 1
        assert not work.libraries["generate_private_key"]
        assert work.calls < 2_500
