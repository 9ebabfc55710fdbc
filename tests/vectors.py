"""Public conformance vectors, read from beside the checkout; none is copied into it."""

import json
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).resolve().parents[2] / "shared" / "vectors"


def vector_file(name: str) -> Path:
    """The path of a vector file. Skips the test, saying so, where the file is absent."""
    path = VECTORS / name
    if not path.is_file():
        pytest.skip(f"no {name} in ../shared/vectors beside the checkout")
    return path


def vector_json(name: str) -> Any:
    return json.loads(vector_file(name).read_text(encoding="utf-8"))
