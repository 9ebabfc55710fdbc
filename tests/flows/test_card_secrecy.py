"""Card data sent every way through a gateway, a core and Redis: it is in no byte that any of them writes."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import redis

from adapters.cli.supervisor.probe import get
from tests.adapters.jose.composed import BOB
from tests.flows.card_gateway import CODE, EXPIRY, CardGateway, Issuer, answer, card_gateway, checked, encrypted, number
from tests.server.rpc import carding
from tests.valkey import Valkey
from tests.waiting import eventually

NAME = "Zoe Qwertzuiop-Asdfghjkl"


class Talkative(CardGateway):
    """A gateway that writes down all that it can."""

    def settings(self) -> dict[str, str]:
        return {"MINTMARK_LOG_LEVEL": "debug", "MINTMARK_TRACES": "file"}


def everything(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the gateway's own keys."""
    own = {"card_keys.json", "card_number_hash_keys.json"}
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in own)
    return {str(path): path.read_bytes() for path in files}


def in_redis(url: str) -> dict[str, bytes]:
    with redis.Redis.from_url(url) as client:
        return {repr(key): key + (client.dump(key) or b"") for key in client.scan_iter()}


def forms(secret: str) -> dict[str, bytes]:
    """How it could be written down."""
    raw = secret.encode()
    digest = hashlib.sha256(raw)
    return {
        "as it is": raw,
        "UTF-16": secret.encode("utf-16-le"),
        "hexadecimal": raw.hex().encode(),
        "Base64": base64.b64encode(raw).rstrip(b"="),
        "a hash": digest.digest(),
        "a hash in hexadecimal": digest.hexdigest().encode(),
        "a hash in Base64": base64.b64encode(digest.digest()).rstrip(b"="),
        "grouped": b" ".join(raw[at : at + 4] for at in range(0, len(raw), 4)),
    }


def test_no_byte_of_it_is_written(valkey: Valkey, capfd: pytest.CaptureFixture[str]) -> None:
    with card_gateway(Talkative, redis_url=valkey.url, log_level="debug") as gateway:
        issuer = Issuer(gateway, tell_credentials_without_security_code=True)
        secrets = sent(issuer)
        told = capfd.readouterr()
        public = gateway.client.get("/.well-known/card-keys.json").content
        metrics = get(gateway.admin, "/metrics", 5)[1].encode()
        traces = gateway.core.settings.data_dir / "traces.jsonl"
        eventually(lambda: traces.exists() and b"BeginCardVerification" in traces.read_bytes(), 20, "the traces")
        gateway.core.stop()
        held = {
            **everything(gateway.core.folder),
            **in_redis(valkey.url),
            "the core's log": (told.out + told.err).encode(),
            "what is public": public,
            "the metrics": metrics,
        }
        for kind, secret in secrets.items():
            for form, written in forms(secret).items():
                found = [place for place, content in held.items() if written in content]
                assert not found, f"{kind}, {form}"
        # What was looked through holds what happened, so that the search shows something.
        assert any(b"CARD" in content for content in held.values())
        assert any(issuer.issuer_id.encode() in content for place, content in held.items() if "sqlite" in place)
        assert b"/cms/api/v1/issuers/{issuerId}" in held[str(gateway.log)]
        gateway.core.start()


def sent(issuer: Issuer) -> dict[str, str]:
    """Sends everything; what was in it."""
    gateway = issuer.gateway
    public = gateway.public()
    pans = {
        kind: number() for kind in ("good", "replaced", "refused", "unknown", "asked", "id", "path", "query", "bin")
    }
    second = checked("550000000000000")
    whole = {"pan": pans["good"], "exp": EXPIRY, "cvv": CODE, "name": NAME}
    issuer.register("card", {**whole, "auxiliaryPan": second, "auxiliaryExp": "0131"})
    assert issuer.ask({**whole, "name": NAME}) == answer("card")
    assert issuer.ask({**whole, "cvv": "0000"})["verificationResults"]["securityCode"]["valid"] is False
    assert issuer.ask({**whole, "pan": pans["unknown"]})["verificationResults"]["card"]["invalid"] is True
    assert issuer.credentials("card").status_code == 200
    issuer.register("refused", {**whole, "pan": pans["refused"], "exp": "9999"})
    # In places where card data does not belong.
    body = {"encryptedData": encrypted({**whole, "pan": pans["asked"]}, public), "cardBin": "400000"}
    for wrong, status in (
        ({"cardId": pans["id"]}, 400),
        ({"cardBin": pans["bin"]}, 400),
        ({"encryptedData": json.dumps(whole)}, 400),
        ({"pan": pans["asked"], "cvv": CODE, "name": NAME}, 200),
    ):
        assert issuer.verify(body | wrong).status_code == status
    assert issuer.credentials(pans["path"]).status_code == 404
    assert gateway.client.get(f"{issuer.prefix}/card/credentials?pan={pans['query']}").status_code == 200
    assert issuer.verify(json.dumps(whole).encode()).status_code == 400
    # Card data at rest that is for another key than it says.
    wrong_key = encrypted(whole, {**carding.jwk("somebody"), "kid": "Bob"})
    name = carding.register(gateway.core.admin, issuer.issuer_id, "unreadable", encrypted_card=wrong_key).name
    eventually(lambda: issuer.looked_at(name), 20, "a look")
    carding.delete(gateway.core.admin, issuer.read(f"issuers/{issuer.issuer_id}/cards/card").name)
    return {**pans, "the second number": second, "the name": NAME, "our private key": BOB["d"], **_hashes(issuer, pans)}


def _hashes(issuer: Issuer, pans: dict[str, Any]) -> dict[str, str]:
    """A code cannot be looked for by its four digits: by what it stands in, and by its hash with the number."""
    code = json.dumps({"cvv": CODE}, separators=(",", ":"))[1:-1]
    return {"the code in JSON": code, "the code with its number": f"{pans['good']}{CODE}"}
