"""D1's calls that only an issuer's own system answers: who may call, what it is told, and what D1 is answered."""

import json
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from mintmark.directory.v1 import card_directory_pb2 as pb
from mintmark.v1 import accounts_pb2

from adapters.breaker import FAILURES
from tests.adapters.inbound.fake_directory import FakeDirectory
from tests.adapters.inbound.running import Running

OTP_PATH = "/banking/d1/v1/issuers/{issuerId}/consumers/{consumerId}/otp"
AUTHENTICATE_PATH = "/banking/d1/v1/issuers/{issuerId}/cards/{cardId}/authentications"
RESULT_PATH = f"{AUTHENTICATE_PATH}/{{authenticationId}}"
OTP = "/banking/d1/v1/issuers/ISSUER0001/consumers/consumer-7/otp"
AUTHENTICATE = "/banking/d1/v1/issuers/ISSUER0001/cards/card-7/authentications"
RESULT = f"{AUTHENTICATE}/a.1~x"
ACTIVATE = "/cms/api/v1/issuers/ISSUER0001/physicalCards/card-7/activate"
ALL = [("POST", OTP), ("POST", AUTHENTICATE), ("GET", RESULT), ("POST", ACTIVATE)]
SECRET = "8430917"
BODY = {"otp": {"value": SECRET, "reason": "CARD-DIGITIZATION"}, "deliveryChannel": "SMS", "panSuffix": "1111"}


@pytest.fixture(scope="module")
def _gateway(_directory: FakeDirectory) -> Iterator[Running]:
    gateway = Running(
        MINTMARK_ISSUER_OTP_PATH=OTP_PATH,
        MINTMARK_ISSUER_AUTHENTICATE_PATH=AUTHENTICATE_PATH,
        MINTMARK_ISSUER_AUTHENTICATION_RESULT_PATH=RESULT_PATH,
    )
    certified = _directory.account("ISSUER0004")
    certified.inbound_authentication = accounts_pb2.INBOUND_AUTHENTICATION_CERTIFICATE
    without = _directory.account("ISSUER0005")
    without.d1_issuer.ClearField("directory")
    dead = _directory.account("ISSUER0006")
    dead.d1_issuer.directory.address = "127.0.0.1:1"
    gateway.core.snapshot.accounts.extend([_directory.account("ISSUER0001"), certified, without, dead])
    gateway.start()
    yield gateway
    gateway.stop()


@pytest.fixture
def gateway(_gateway: Running, directory: FakeDirectory) -> Running:
    assert directory.asked == []
    return _gateway


def send(gateway: Running, method: str, path: str, body: Any = BODY, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"authorization": f"Bearer: {gateway.core.sign(client_id='all')}", "content-type": "application/json"}
    if method == "GET":
        return gateway.client.get(path, headers=sent | headers)
    return gateway.client.request(method, path, content=content, headers=sent | headers)


def test_a_one_time_password_is_delivered(gateway: Running, directory: FakeDirectory) -> None:
    answer = send(gateway, "POST", OTP, **{"x-correlation-id": "otp-1"})
    assert (answer.status_code, answer.content) == (204, b"")
    [(method, request)] = directory.asked
    assert method == "DeliverOneTimePassword"
    assert (request.context.issuer_id, request.context.correlation_id) == ("ISSUER0001", "otp-1")
    assert (request.consumer_id, request.card_id) == ("consumer-7", "")
    assert json.loads(request.body_json) == BODY


def test_the_card_of_a_query_is_passed_on(gateway: Running, directory: FakeDirectory) -> None:
    assert send(gateway, "POST", f"{OTP}?cardId=card%2D9&unknown=1").status_code == 204
    assert directory.asked[0][1].card_id == "card-9"
    for query in ("cardId=a%20b", "cardId=a&cardId=b", "cardId=%FF", "cardId=4111111111111111"):
        assert send(gateway, "POST", f"{OTP}?{query}").status_code == 400
    assert len(directory.asked) == 1


def test_an_authentication_is_started_and_followed(gateway: Running, directory: FakeDirectory) -> None:
    started = send(gateway, "POST", AUTHENTICATE, b'{"amount": 1.50}')
    assert (started.status_code, started.text) == (200, '{"authenticationId":"a-1"}')
    assert started.headers["content-type"] == "application/json"
    assert started.headers["cache-control"] == "no-store"
    stands = send(gateway, "GET", RESULT)
    assert (stands.status_code, stands.text) == (200, '{"result":"PENDING","after":1.50}')
    (_, authenticate), (_, result) = directory.asked
    assert (dict(authenticate.path_ids), authenticate.body_json) == ({"cardId": "card-7"}, '{"amount":1.50}')
    assert dict(result.path_ids) == {"cardId": "card-7", "authenticationId": "a.1~x"}


def test_a_physical_card_is_activated_once_or_twice(gateway: Running, directory: FakeDirectory) -> None:
    for body in (b"", b" ", {"activationCode": "7"}):
        answer = send(gateway, "POST", ACTIVATE, body)
        assert (answer.status_code, answer.content) == (204, b"")
    assert [request.body_json for _, request in directory.asked] == ["", "", '{"activationCode":"7"}']
    assert {request.card_id for _, request in directory.asked} == {"card-7"}
    assert send(gateway, "POST", ACTIVATE, b"", **{"content-type": "text/plain"}).status_code == 204


@pytest.mark.parametrize(("method", "path"), ALL)
def test_who_may_call(gateway: Running, directory: FakeDirectory, method: str, path: str) -> None:
    def status(issuer: str = "ISSUER0001", **claims: Any) -> int:
        called = path.replace("ISSUER0001", issuer)
        return send(gateway, method, called, authorization=f"Bearer {gateway.core.sign(**claims)}").status_code

    answer = send(gateway, method, path, authorization="Bearer nonsense")
    assert (answer.status_code, answer.content) == (401, b"")
    assert status(client_id="other") == 403
    assert status(client_id="reader") == 403
    assert status(scope="tokens.read") == 403
    assert status("ISSUER7777", client_id="all") == 404
    assert status("ISSUER0009", client_id="all") == 403, "an issuer without an account"
    assert status("ISSUER0005", client_id="all") == 404, "an issuer without a system of its own"
    assert status("ISSUER0002") == 403, "an issuer whose account says nothing of cards"
    assert directory.asked == []
    assert status() in (200, 204)
    plain = gateway.client.request(
        method, path.replace("ISSUER0001", "ISSUER0004"), json=BODY if method == "POST" else None
    )
    assert plain.status_code in (200, 204), "OAuth is switched off, and this is loopback"
    assert len(directory.asked) == 2
    assert send(gateway, "PUT", path).status_code == 405


@pytest.mark.parametrize(("method", "path"), ALL)
def test_ids_have_their_forms(gateway: Running, directory: FakeDirectory, method: str, path: str) -> None:
    last = path.removesuffix("/otp").removesuffix("/activate").removesuffix("/authentications").rpartition("/")[2]
    for wrong in ("a%20b", "", "%FF", "c" * 129, "a%2Fb", "x%0A"):
        assert send(gateway, method, path.replace(last, wrong)).status_code == 400
    assert send(gateway, method, path.replace("ISSUER0001", "ISSUER001")).status_code == 400
    assert send(gateway, method, path.replace(last, "4111111111111111")).status_code == 404
    assert directory.asked == []


@pytest.mark.parametrize("path", [OTP, AUTHENTICATE, ACTIVATE])
def test_bodies_are_json_within_limits(gateway: Running, directory: FakeDirectory, path: str) -> None:
    hostile = [b"not json", b"[]", b'"x"', b"\xff", b'{"a": NaN}', b'{"a":' * 40 + b"1" + b"}" * 40, b"[" * 60_000]
    for body in [*hostile, *([] if path == ACTIVATE else [b""])]:
        answer = send(gateway, "POST", path, body)
        assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert send(gateway, "POST", path, {"x": "x" * 65536}).status_code == 413
    assert send(gateway, "POST", path, **{"content-type": "text/plain"}).status_code == 415
    assert send(gateway, "POST", path, **{"content-encoding": "gzip"}).status_code == 415
    assert directory.asked == []


def test_card_numbers_are_cut_and_of_twins_the_last_counts(gateway: Running, directory: FakeDirectory) -> None:
    body = b'\xef\xbb\xbf{"a": "card 4111 1111 1111 1111", "b": 4111111111111111, "otp": {"value": "1", "value": "2"}}'
    assert send(gateway, "POST", OTP, body).status_code == 204
    [(_, request)] = directory.asked
    assert "4111 1111" not in request.body_json
    assert "4111111111111111" not in request.body_json
    assert json.loads(request.body_json)["otp"] == {"value": "2"}
    assert request.body_json.count("value") == 1


@pytest.mark.parametrize(
    ("phone", "whole"),
    [
        ("+4917612345679", True),
        ("+49 176 1234-5679", True),
        ("4917612345679", False),
        ("+4111111111111111", False),
        ("+491761234567-4111111111111111", False),
    ],
)
def test_an_international_phone_number_is_passed_on_whole(
    gateway: Running, directory: FakeDirectory, phone: str, whole: bool
) -> None:
    """All of these pass the check of card numbers, and a password that is sent to stars reaches nobody."""
    body = {"deviceInformation": {"phoneNumber": phone}, "note": phone}
    assert send(gateway, "POST", OTP, body).status_code == 204
    told = json.loads(directory.asked[0][1].body_json)
    assert "*" in told["note"]
    assert (told["deviceInformation"]["phoneNumber"] == phone) is whole


def test_odd_text_passes_as_escapes(gateway: Running, directory: FakeDirectory) -> None:
    assert send(gateway, "POST", OTP, b'{"a": "\\u0000\\ud800", "\\udfff": 1e400}').status_code == 204
    assert directory.asked[0][1].body_json == '{"a":"\\u0000\\ud800","\\udfff":1e400}'


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (grpc.StatusCode.NOT_FOUND, 404),
        (grpc.StatusCode.PERMISSION_DENIED, 403),
        (grpc.StatusCode.INVALID_ARGUMENT, 503),
        (grpc.StatusCode.UNIMPLEMENTED, 503),
    ],
)
def test_what_the_issuers_system_refuses(
    gateway: Running, directory: FakeDirectory, code: grpc.StatusCode, status: int
) -> None:
    methods = ("DeliverOneTimePassword", "Authenticate", "GetAuthenticationResult", "ActivatePhysicalCard")
    directory.answers |= dict.fromkeys(methods, code)
    for method, path in ALL:
        answer = send(gateway, method, path)
        assert (answer.status_code, list(answer.json())) == (status, ["error"])
        assert "4111" not in answer.text
    assert len(directory.asked) == len(ALL), "no call is made twice"


def test_a_system_that_is_away_or_lies_is_503(gateway: Running, directory: FakeDirectory) -> None:
    for method, path in ALL:
        answer = send(gateway, method, path.replace("ISSUER0001", "ISSUER0006"))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    directory.answers["Authenticate"] = pb.AuthenticateResponse(answer_json='{"pin": "lying')
    assert send(gateway, "POST", AUTHENTICATE).status_code == 503
    shown = gateway.admin("/metrics").text
    assert 'mintmark_directory_calls_total{method="Authenticate",outcome="unreadable"}' in shown
    assert 'mintmark_directory_calls_total{method="Authenticate",outcome="unavailable"}' in shown
    for _ in range(FAILURES):
        send(gateway, "POST", ACTIVATE.replace("ISSUER0001", "ISSUER0006"))
    alerts = [line for line in gateway.logged() if line.get("alert") and "is left alone" in line["event"]]
    assert [line["issuer_id"] for line in alerts] == ["ISSUER0006"], "once for each time that it opens"
    told = [line for line in gateway.logged() if "issuer's own system" in line["event"]]
    assert {line["issuer_id"] for line in told} == {"ISSUER0001", "ISSUER0006"}
    assert "lying" not in gateway.log.read_text()


def test_nothing_of_a_body_is_logged_or_counted(gateway: Running, directory: FakeDirectory) -> None:
    for answer in (pb.DeliverOneTimePasswordResponse(), grpc.StatusCode.UNKNOWN):
        directory.answers["DeliverOneTimePassword"] = answer
        send(gateway, "POST", OTP)
    send(gateway, "POST", OTP, f'{{"otp": {{"value": "{SECRET}"'.encode())
    for text in (gateway.log.read_text(), gateway.admin("/metrics").text):
        assert SECRET not in text
        assert "consumer-7" not in text
    assert gateway.core.records == []


def test_without_paths_only_activation_is_served(gateway: Running, directory: FakeDirectory) -> None:
    plain = Running()
    plain.core.snapshot.accounts.append(directory.account("ISSUER0001"))
    plain.start()
    try:
        assert [send(plain, method, path).status_code for method, path in ALL] == [404, 404, 404, 204]
    finally:
        plain.stop()
