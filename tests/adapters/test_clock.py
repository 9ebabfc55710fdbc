"""The wall clock with its offset file."""

import os
from pathlib import Path

from adapters.clock import Clock


def test_the_offset_is_read_anew_when_the_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "offset"
    clock = Clock(file, wall=lambda: 1000.0, monotonic=lambda: 5.0)
    assert clock.wall() == 1000
    for number, (text, expected) in enumerate([("3600", 4600), ("-10.5", 989.5), ("nonsense", 989.5), ("", 1000)]):
        file.write_text(text)
        os.utime(file, ns=(number + 1, number + 1))
        assert clock.wall() == expected
    file.unlink()
    assert (clock.wall(), clock.monotonic()) == (1000, 5)
