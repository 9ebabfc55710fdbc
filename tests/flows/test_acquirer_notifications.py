"""Encrypted notifications over HTTP: a real gateway in front of a real core, from good ones to hostile ones."""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.cli.supervisor.probe import get
from tests.flows.acquirer_gateway import AcquirerGateway
from tests.flows.gateway_process import gateway_of
from tests.server.rpc.acquiring import Envelope, Merchant, booking_of, open_merchant, said, sealed
from tests.server.rpc.running import running_core
from tests.vectors import contract_vector
from tests.waiting import eventually

CARD = "4111111111111111"


@pytest.fixture(scope="module")
def gateway() -> Iterator[AcquirerGateway]:
    with running_core() as core, gateway_of(core, AcquirerGateway) as running:
        yield running


@pytest.fixture
def merchant(gateway: AcquirerGateway) -> Merchant:
    return open_merchant(gateway.core)


def test_the_published_vector_gets_exactly_the_acknowledgement(gateway: AcquirerGateway) -> None:
    vector = contract_vector("sibs-webhook-1.json")
    merchant = open_merchant(gateway.core, key=vector["key"])
    good = Envelope(vector["body"], vector["iv"], vector["tag"])
    wanted = b'{"statusCode":"200","statusMsg":"Success","notificationID":"de64fbe2-0e6e-4d94-b50c-3dac491e76ff"}'
    for _ in range(2):
        answer = gateway.post(merchant.config_id, good)
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, wanted, "application/json")
    for place in (0, 100, len(good.ciphertext) - 1):
        damaged = bytearray(good.ciphertext)
        damaged[place] ^= 1
        answer = gateway.post(merchant.config_id, Envelope(bytes(damaged), good.initialization_vector, good.tag))
        assert (answer.status_code, answer.json()) == (400, {"error": "The notification cannot be decrypted"})
    assert len(merchant.unreadable()) == 3


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "text/plain; charset=utf-8", "x/y", ""])
def test_any_content_type_is_taken(gateway: AcquirerGateway, merchant: Merchant, content_type: str) -> None:
    message = said()
    envelope = sealed(merchant.key, json.dumps(message).encode())
    assert gateway.post(merchant.config_id, envelope, content_type=content_type).status_code == 200
    assert booking_of(merchant.get(message["transactionID"])) == "PAID"


def hostile(merchant: Merchant) -> list[tuple[str, dict[str, Any], int]]:
    """What may come, and how it is answered."""
    good = sealed(merchant.key, json.dumps(said()).encode())
    iv, tag = (base64.b64encode(each).decode() for each in (good.initialization_vector, good.tag))
    body = base64.b64encode(good.ciphertext)
    path = f"/sibs/notifications/{merchant.config_id}"
    headers = {"x-initialization-vector": iv, "x-authentication-tag": tag}
    known: dict[str, Any] = {"method": "POST", "url": path, "headers": headers, "content": body}
    twice = [("x-initialization-vector", iv), ("x-initialization-vector", iv), ("x-authentication-tag", tag)]
    wrong_iv = [
        "",
        "x",
        iv[:-4],
        iv + "AAAA",
        iv[:-1],
        good.initialization_vector.hex(),
        base64.b64encode(bytes(8)).decode(),
    ]
    wrong_tag = ["", tag[:-4], good.tag.hex(), base64.b64encode(bytes(12)).decode(), tag.replace("=", "")]
    return [
        ("good", known, 200),
        ("a line's end behind it", known | {"content": body + b"\r\n"}, 200),
        ("another config", known | {"url": "/sibs/notifications/nothing"}, 404),
        ("no config", known | {"url": "/sibs/notifications/"}, 404),
        ("a config that is a path", known | {"url": "/sibs/notifications/..%2f..%2fv1"}, 404),
        ("a wrong method", known | {"method": "GET", "content": b""}, 405),
        ("no headers", known | {"headers": {}}, 400),
        ("a header twice", known | {"headers": twice}, 400),
        *(
            (f"an IV of {len(each)}", known | {"headers": headers | {"x-initialization-vector": each}}, 400)
            for each in wrong_iv
        ),
        *(
            (f"a tag of {len(each)}", known | {"headers": headers | {"x-authentication-tag": each}}, 400)
            for each in wrong_tag
        ),
        ("no body", known | {"content": b""}, 400),
        ("blanks", known | {"content": b" \r\n"}, 400),
        ("bytes", known | {"content": good.ciphertext}, 400),
        ("hexadecimal", known | {"content": good.ciphertext.hex().encode() + b"!"}, 400),
        ("broken lines", known | {"content": body[:40] + b"\n" + body[40:]}, 400),
        ("a damaged end", known | {"content": body[:-2] + b"!="}, 400),
        ("too large", known | {"content": base64.b64encode(bytes(64 * 1024))}, 413),
        ("compressed", known | {"headers": headers | {"content-encoding": "gzip"}}, 415),
        ("no JSON", known | sent(merchant, f"no json {CARD}".encode()), 400),
        ("no id", known | sent(merchant, json.dumps(said(notificationID=None)).encode()), 400),
        ("deep", known | sent(merchant, b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"), 400),
        ("another key", known | sent(merchant, b"{}", os.urandom(32)), 400),
    ]


def sent(merchant: Merchant, plaintext: bytes, key: bytes = b"") -> dict[str, Any]:
    envelope = sealed(key or merchant.key, plaintext)
    headers = {
        "x-initialization-vector": base64.b64encode(envelope.initialization_vector).decode(),
        "x-authentication-tag": base64.b64encode(envelope.tag).decode(),
    }
    return {"headers": headers, "content": base64.b64encode(envelope.ciphertext)}


def test_nothing_that_comes_is_our_fault(gateway: AcquirerGateway, merchant: Merchant) -> None:
    answers = {}
    for what, request, status in hostile(merchant):
        answer = gateway.client.request(**request)
        answers[what] = (answer.status_code, status)
        assert b"Traceback" not in answer.content
        assert answer.status_code == 200 or b'notificationID":' not in answer.content
    assert {what: each for what, each in answers.items() if each[0] != each[1]} == {}
    lines = [json.loads(line) for line in gateway.log.read_text().splitlines()]
    assert not [line for line in lines if line.get("level") == "error"]


def test_neither_log_nor_metric_tells_of_configs_keys_or_contents(
    gateway: AcquirerGateway, merchant: Merchant, capfd: pytest.CaptureFixture[str]
) -> None:
    canary = "canary-of-the-acquirer"
    gateway.tell(merchant, customer=canary, token={"value": CARD}, transactionID=f"t {CARD}")
    gateway.client.request(
        **{
            "method": "POST",
            "url": f"/sibs/notifications/{merchant.config_id}",
            **sent(merchant, f"{canary} {CARD}".encode()),
        }
    )
    gateway.post(merchant.config_id, sealed(os.urandom(32), canary.encode()))
    lines = [json.loads(line) for line in gateway.log.read_text().splitlines()]
    routes = {line["route"] for line in lines if line.get("route", "").startswith("/sibs")}
    assert routes == {"/sibs/notifications/{config}"}
    metrics = get(gateway.admin, "/metrics", 5)[1] + get(gateway.core.settings.admin_address, "/metrics", 5)[1]
    out, err = capfd.readouterr()
    for text in (gateway.log.read_text(), metrics, out, err):
        for secret in (canary, CARD, merchant.key.hex(), base64.b64encode(merchant.key).decode()):
            assert secret not in text
    assert f"/{merchant.config_id}" not in gateway.log.read_text() + metrics
    told = {
        (sample.labels["outcome"], sample.labels["reason"])
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.labels.get("kind") == "SIBS_TRANSACTION"
    }
    assert {
        ("rejected", "BODY_UNREADABLE"),
        ("unreadable", "NONE"),
        ("quarantined", "CARD_NUMBER_IN_IDENTIFIER"),
    } <= told


def test_while_the_core_is_gone_the_acquirer_is_to_come_again(gateway: AcquirerGateway, merchant: Merchant) -> None:
    core, message = gateway.core, said()
    envelope = sealed(merchant.key, json.dumps(message).encode())
    core.stop()
    try:
        answer = gateway.post(merchant.config_id, envelope)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    finally:
        core.start()
    eventually(lambda: gateway.post(merchant.config_id, envelope).status_code == 200, 60, "the acknowledgement")
    assert booking_of(merchant.get(message["transactionID"])) == "PAID"


def test_the_files_hold_no_key(gateway: AcquirerGateway, merchant: Merchant) -> None:
    gateway.tell(merchant)
    files = [path.read_bytes() for path in Path(gateway.core.folder).rglob("*") if path.is_file()]
    assert not any(merchant.key in content or base64.b64encode(merchant.key) in content for content in files)


def test_what_no_key_opens_is_limited_for_its_config_and_what_one_opens_is_not(
    gateway: AcquirerGateway, merchant: Merchant
) -> None:
    wrong, another = (sealed(os.urandom(32), b"{}") for _ in range(2))
    for _ in range(10):
        assert gateway.post(merchant.config_id, wrong).status_code == 400
        assert gateway.tell(merchant).status_code == 200
    answer = gateway.post(merchant.config_id, another)
    assert (answer.status_code, list(answer.json())) == (503, ["error"])
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert gateway.tell(merchant).status_code == 200
    other = open_merchant(gateway.core)
    assert gateway.post(other.config_id, wrong).status_code == 400
    # What was limited is kept all the same, for a key that may come.
    assert len(merchant.unreadable()) == 2
