"""Public conformance vectors, read from beside the checkout; none is copied into it."""

import base64
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


CONTRACT_VECTORS = VECTORS.parent / "contracts" / "vectors"


def contract_vector(name: str) -> dict[str, Any]:
    """A vector of a partner's contract: its `plaintext`, and what is Base64 in it as bytes. Skips the test, saying so,
    where the file is absent."""
    path = CONTRACT_VECTORS / name
    if not path.is_file():
        pytest.skip(f"no {name} in ../shared/contracts/vectors beside the checkout")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found | {field: base64.b64decode(found[field], validate=True) for field in ("key", "iv", "tag", "body")}
