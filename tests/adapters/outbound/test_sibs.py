"""Webhook configs and transactions at the acquirer's twin: what is sent, and what the core is told of each answer."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from mintmark.v1 import tasks_pb2 as pb
from mintmark.v1 import webhook_configs_pb2 as configs
from structlog.testing import capture_logs

from adapters.outbound import sibs
from adapters.outbound.sibs_lists import key_digest
from tests.adapters.outbound.acquiring import (
    NOBODY_KNOWS,
    OWN,
    PRESENT,
    SECRET,
    STATIC,
    Dispatching,
    Wishes,
    done,
    operation,
    outcome,
    run,
)
from tests.adapters.sandbox.sibs.caller import KEY, Caller, a_key, caller_of

EXAMPLES = Path(__file__).resolve().parents[4] / "shared/contracts/examples"


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Codes are everybody's own; what changes the twin's ways puts them back."""
    with caller_of(tmp_path_factory.mktemp("twin")) as made:
        yield made


@pytest.fixture
def wishes(twin: Caller) -> Iterator[Wishes]:
    yield Wishes(twin)
    twin.control("DELETE", "/faults")


def code_of(task: pb.Task) -> str:
    return task.application.notification_configuration_code


def at_the_twin(twin: Caller, task: pb.Task) -> dict[str, Any]:
    """The newest of that code, a deleted one too."""
    return dict([each for each in twin.lines("/configs") if each["code"] == code_of(task)][-1])


def requests(twin: Caller, code: str) -> list[dict[str, Any]]:
    return [each for each in twin.lines("/requests") if each["code"] == code]


def steps(told: pb.RecordWebhookConfigCallRequest) -> list[tuple[str, str]]:
    return [(operation(call), outcome(call)) for call in told.calls]


@pytest.mark.parametrize("name", ["create", "update", "delete-by-update"])
def test_the_examples_are_what_is_built(wishes: Wishes, name: str) -> None:
    update = name == "update"
    task = wishes.application(
        notification_configuration_code="0f8fad5b-d9cb-469f-a165-70867728950e",
        value=f"https://gateway.example/hooks/sibs/{'9a41' if update else '3d0f'}",
        payment_method_codes=["CARD", "BLIK", *(["BNPL"] if update else [])],
    )
    made = sibs.document(task.application, "DEL" if name.startswith("delete") else "INS")
    example = json.loads((EXAMPLES / f"sibs-webhook-{name}.request.json").read_text())
    assert (made, list(made)) == (example, list(example))


def test_the_example_of_a_list_is_what_is_asked(wishes: Wishes) -> None:
    asked = sibs.listing(wishes.endpoint(), "1000000001", "", "50994")
    assert json.loads(asked.content) == json.loads((EXAMPLES / "sibs-webhook-list.request.json").read_text())
    assert asked.url.endswith("/sibs/v1/webhooks")


def test_create_update_delete(twin: Caller, wishes: Wishes) -> None:
    task = wishes.application(acceptor_id="22", terminal_id="50994")
    told = done(task)
    assert (told.task, told.fence, told.webhook_config, told.generation) == ("tasks/1", 7, "webhookConfigs/one", 3)
    assert steps(told) == [("CREATE", "ACCEPTED")]
    (call,) = told.calls
    assert (call.http_status, call.transaction_status, call.status_code, call.trouble) == (200, "ACTC", "000", "")
    (sent,) = requests(twin, code_of(task))
    assert (sent["requestId"], uuid.UUID(sent["requestId"]).version) == (call.tpp_request_id, 4)
    assert (sent["userId"], sent["organizationId"]) == ("clients/ops", "Example Ltd")
    assert (sent["acceptorId"], sent["terminalId"]) == ("22", "50994")
    changed = wishes.application(
        **{name: getattr(task.application, name) for name in ("notification_configuration_code", "acceptor_id")},
        terminal_id="50994",
        presence=PRESENT,
        payment_method_codes=["BNPL"],
    )
    assert steps(done(changed)) == [("UPDATE", "ACCEPTED")]
    assert at_the_twin(twin, task)["methods"] == ["BNPL"]
    changed.application.delete = True
    assert steps(done(changed)) == [("DELETE", "ACCEPTED")]
    assert at_the_twin(twin, task)["deleted"]


def test_an_email_has_no_key(twin: Caller, wishes: Wishes) -> None:
    task = wishes.application(channel=configs.NOTIFICATION_CHANNEL_EMAIL, value="till@shop.example", key="")
    assert steps(done(task)) == [("CREATE", "ACCEPTED")]
    assert at_the_twin(twin, task)["value"] == "till@shop.example"
    assert "security" not in sibs.document(task.application, "INS")["channelTypeNotification"]


def test_field_names_and_codes_are_as_the_account_says(twin: Caller, wishes: Wishes) -> None:
    names = pb.AcquirerFieldNames(value="wartosc", key="klucz", algorithm="algorytm")
    twin.habits(valueName="wartosc", keyName="klucz", algorithmName="algorytm", longestCode=35)
    try:
        code = uuid.uuid4().hex
        endpoint = wishes.endpoint(field_names=names)
        task = wishes.application(endpoint=endpoint, notification_configuration_code=code)
        assert steps(done(task)) == [("CREATE", "ACCEPTED")]
        told = done(wishes.listing(endpoint))
        (found,) = [each for each in told.webhooks if each.notification_configuration_code == code]
        assert (found.value, found.key_digest, found.algorithm) == (OWN, key_digest(KEY), "AES-256-GCM")
        # Under the other names nothing is there.
        other = done(wishes.listing())
        (found,) = [each for each in other.webhooks if each.notification_configuration_code == code]
        assert (found.value, found.key_digest) == ("", b"")
    finally:
        twin.habits(valueName="value", keyName="key", algorithmName="algorithm", longestCode=36)


@pytest.mark.parametrize("delete", [False, True])
@pytest.mark.parametrize("there", [False, True])
def test_after_an_unknown_outcome_it_is_listed_first(twin: Caller, wishes: Wishes, there: bool, delete: bool) -> None:
    task = wishes.application(presence=NOBODY_KNOWS, delete=delete)
    if there:
        twin.create(code_of(task).upper(), value="https://elsewhere.example/")
        task.application.notification_configuration_code = code_of(task).upper()
    told = done(task)
    after = {
        (False, False): ("CREATE", "ACCEPTED"),
        (True, False): ("UPDATE", "ACCEPTED"),
        (True, True): ("DELETE", "ACCEPTED"),
    }.get((there, delete))
    assert steps(told) == [("LIST", "ACCEPTED"), *([after] if after else [])]
    assert len({call.tpp_request_id for call in told.calls}) == len(told.calls)
    if there or not delete:
        assert at_the_twin(twin, task)["deleted"] == delete


def test_a_list_that_fails_changes_nothing(twin: Caller, wishes: Wishes) -> None:
    for fault in ({"fault": "html"}, {"fault": "status"}, {"fault": "rejected"}, {"fault": "cut-json"}):
        task = wishes.application(presence=NOBODY_KNOWS)
        twin.fault(endpoint="list", **fault)
        told = done(task)
        assert [operation(call) for call in told.calls] == ["LIST"]
        assert outcome(told.calls[0]) == ("REJECTED" if fault["fault"] == "rejected" else "UNKNOWN")
        assert not requests(twin, code_of(task))


def test_what_is_listed_with_and_without_hyphens_is_the_same(twin: Caller, wishes: Wishes) -> None:
    code = uuid.uuid4()
    twin.create(str(code))
    task = wishes.application(presence=NOBODY_KNOWS, notification_configuration_code=code.hex)
    assert [step for step, _ in steps(done(task))] == ["LIST", "UPDATE"]


# Outcome, and what else the call says.
ANSWERS: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"fault": "rejected", "code": "E0101"}, "REJECTED", {"transaction_status": "RJCT", "status_code": "E0101"}),
    ({"fault": "rejected"}, "REJECTED", {"status_code": "999", "status_message": "Unexpected Error"}),
    ({"fault": "accepted-with-code", "code": "123"}, "REJECTED", {"transaction_status": "ACTC", "status_code": "123"}),
    ({"fault": "rejected-with-success"}, "REJECTED", {"transaction_status": "RJCT", "status_code": "000"}),
    ({"fault": "sister-spelling"}, "ACCEPTED", {"transaction_status": "ACT"}),
    ({"fault": "no-request-id"}, "ACCEPTED", {}),
    ({"fault": "status", "status": 400}, "REJECTED", {"http_status": 400}),
    ({"fault": "status", "status": 404}, "REJECTED", {"http_status": 404}),
    ({"fault": "status", "status": 403}, "UNAUTHENTICATED", {"http_status": 403}),
    ({"fault": "status", "status": 401}, "UNAUTHENTICATED", {"http_status": 401}),
    ({"fault": "status", "status": 408}, "UNKNOWN", {"http_status": 408}),
    ({"fault": "status", "status": 429}, "UNKNOWN", {"http_status": 429}),
    ({"fault": "status", "status": 500, "empty": True}, "UNKNOWN", {"http_status": 500, "trouble": "unreadable"}),
    ({"fault": "status", "status": 503}, "UNKNOWN", {"http_status": 503}),
    ({"fault": "redirect"}, "UNKNOWN", {"http_status": 307}),
    ({"fault": "html"}, "UNKNOWN", {"trouble": "unreadable"}),
    ({"fault": "empty"}, "UNKNOWN", {"trouble": "unreadable"}),
    ({"fault": "cut-json"}, "UNKNOWN", {"trouble": "unreadable"}),
    ({"fault": "invalid-utf8"}, "UNKNOWN", {"trouble": "unreadable"}),
    ({"fault": "duplicate-keys"}, "UNKNOWN", {"trouble": "unreadable"}),
    ({"fault": "huge"}, "UNKNOWN", {"trouble": "unreadable"}),
    ({"fault": "truncated"}, "UNKNOWN", {"trouble": "remote_protocol"}),
    ({"fault": "reset"}, "UNKNOWN", {"trouble": "read"}),
    ({"fault": "close"}, "UNKNOWN", {"trouble": "remote_protocol"}),
    ({"fault": "drip-body", "seconds": 0.001}, "ACCEPTED", {}),
    ({"fault": "drip-headers", "seconds": 0.001}, "ACCEPTED", {}),
]


@pytest.mark.parametrize("kind", ["create", "list"])
def test_what_each_answer_means(twin: Caller, wishes: Wishes, kind: str) -> None:
    async def all_of_them(dispatcher: Dispatching) -> None:
        for fault, expected, more in ANSWERS:
            twin.fault(endpoint=kind, **fault)
            task = wishes.application() if kind == "create" else wishes.listing(merchant="300")
            told = await dispatcher.do(task)
            call = told.calls[-1] if kind == "create" else told.call
            seen = {name: getattr(call, name) for name in more}
            assert (outcome(call), seen) == (expected, more), fault
            assert bool(call.tpp_request_id)
            if kind == "list" and expected != "ACCEPTED":
                assert not told.webhooks

    run(all_of_them)


def test_a_time_out_is_unknown_and_takes_no_longer_than_the_lease(twin: Caller, wishes: Wishes) -> None:
    twin.fault("hang", endpoint="create")
    told = done(wishes.application(), seconds=0.5)
    twin.control("POST", "/faults/release")
    assert [(outcome(call), call.trouble) for call in told.calls] == [("UNKNOWN", "timeout")]


def test_nothing_begins_after_the_lease(twin: Caller, wishes: Wishes) -> None:
    task = wishes.application()
    told = done(task, seconds=0)
    assert [(outcome(call), call.trouble) for call in told.calls] == [("NOT_SENT", "too_late")]
    assert not requests(twin, code_of(task))


def test_nobody_there_is_not_sent(wishes: Wishes) -> None:
    nowhere = wishes.endpoint(base_url="http://127.0.0.1:9")
    for task in (wishes.application(endpoint=nowhere), wishes.listing(nowhere)):
        told = done(task)
        call = told.calls[0] if task.HasField("application") else told.call
        assert (outcome(call), call.trouble, call.tpp_request_id) == ("NOT_SENT", "connect", "")


def test_an_id_that_leads_elsewhere_is_not_sent(twin: Caller, wishes: Wishes) -> None:
    before = len(twin.lines("/requests"))
    for transaction in ("", ".", ".."):
        call = done(wishes.inquiry(transaction)).call
        assert (outcome(call), call.trouble) == ("NOT_SENT", "invalid_id")
    assert len(twin.lines("/requests")) == before
    assert sibs.inquiry(wishes.inquiry("a/../b?c#d%2e").acquirer_query).url.endswith("/a%2F..%2Fb%3Fc%23d%252e/status")


def test_retry_after_is_told_and_the_account_rests(twin: Caller, wishes: Wishes) -> None:
    async def limited(dispatcher: Dispatching) -> None:
        twin.fault("status", status=429, retryAfter="77")
        told = await dispatcher.do(wishes.application())
        assert told.retry_after.seconds == 77
        assert dispatcher.breaker.paused() == ["partnerAccounts/sibs"]
        dispatcher.ahead = 78
        assert dispatcher.breaker.paused() == []
        twin.fault("status", status=503, retryAfter="999999999")
        assert (await dispatcher.do(wishes.listing())).retry_after.seconds == 86400

    run(limited)


@pytest.mark.parametrize("shape", ["a", "b", "c", "single"])
def test_every_shape_of_a_list(twin: Caller, wishes: Wishes, shape: str) -> None:
    merchant = f"20{['a', 'b', 'c', 'single'].index(shape)}"
    twin.fault(f"shape-{shape}", endpoint="list", times=2)
    nothing = done(wishes.listing(merchant=merchant))
    assert (outcome(nothing.call), list(nothing.webhooks)) == ("ACCEPTED", [])
    code = twin.create(merchant=merchant, methods=["CARD", "BLIK"])
    told = done(wishes.listing(merchant=merchant))
    assert (told.task, told.fence, outcome(told.call), operation(told.call)) == ("tasks/1", 7, "ACCEPTED", "LIST")
    (found,) = told.webhooks
    assert found.notification_configuration_code == code
    assert (found.channel_text, found.value) == ("URL", "http://127.0.0.1:9/hooks")
    assert (found.support_email, found.algorithm) == ("ops@gateway.example", "AES-256-GCM")
    assert list(found.payment_method_codes) == ["CARD", "BLIK"]
    assert found.key_digest == key_digest(KEY) != key_digest(a_key("x"))


def test_a_list_of_a_terminal(twin: Caller, wishes: Wishes) -> None:
    code = twin.create(query={"acceptorId": "77", "terminalId": "78"})
    told = done(wishes.listing(acceptor_id="77", terminal_id="78"))
    assert [each.notification_configuration_code for each in told.webhooks] == [code]


def test_a_status_is_told_whole(twin: Caller, wishes: Wishes) -> None:
    transaction = twin.transact("purchase", amount="12.30")["transactionId"]
    told = done(wishes.inquiry(transaction))
    assert (told.acquirer_transaction, outcome(told.call)) == ("acquirerTransactions/sibs~1", "ACCEPTED")
    assert (told.call.http_status, told.call.status_code) == (200, "000")
    body = json.loads(told.body)
    assert (body["transactionID"], body["paymentStatus"]) == (transaction, "Success")
    missing = done(wishes.inquiry("nobody-knows-it"))
    assert (outcome(missing.call), missing.call.http_status, missing.body) == ("REJECTED", 404, b"")
    for fault, expected in (("html", "UNKNOWN"), ("duplicate-keys", "UNKNOWN"), ("huge", "UNKNOWN")):
        twin.fault(fault, endpoint="status")
        told = done(wishes.inquiry(transaction))
        assert (outcome(told.call), told.body) == (expected, b""), fault


def test_the_core_is_told_again_while_it_is_away(wishes: Wishes) -> None:
    def away(code: grpc.StatusCode) -> Exception:
        return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata())

    async def outage(dispatcher: Dispatching) -> None:
        dispatcher.core.failures = [away(grpc.StatusCode.UNAVAILABLE)] * 2
        told = await dispatcher.do(wishes.application())
        assert steps(told) == [("CREATE", "ACCEPTED")]
        dispatcher.core.failures = [away(grpc.StatusCode.NOT_FOUND)]
        assert await dispatcher.do(wishes.application()) is None
        # When there is no time left it is told once, and that was it.
        dispatcher.hurried = True
        dispatcher.core.failures = [away(grpc.StatusCode.UNAVAILABLE)]
        assert await dispatcher.do(wishes.application()) is None

    run(outage)


def test_no_secret_is_told_or_logged(twin: Caller, wishes: Wishes) -> None:
    foreign = a_key("f")
    merchant = "404"
    twin.create(key=foreign, merchant=merchant)

    async def everything(dispatcher: Dispatching) -> None:
        endpoint = wishes.fetched()
        await dispatcher.do(wishes.application(endpoint=endpoint))
        await dispatcher.do(wishes.application(endpoint=endpoint, presence=PRESENT))
        await dispatcher.do(wishes.listing(endpoint, merchant))
        await dispatcher.do(wishes.listing(merchant=merchant))
        for fault in ("reset", "html", "truncated", "duplicate-keys"):
            twin.fault(fault, endpoint="list")
            await dispatcher.do(wishes.listing(endpoint, merchant))
        await dispatcher.do(wishes.listing(wishes.fetched(client_secret="wrong-" + SECRET)))
        told = b"".join(each.SerializeToString() for each in dispatcher.core.told)
        for secret in (KEY, foreign, SECRET, STATIC, "sandbox-client-id"):
            assert secret.encode() not in told
            assert secret not in repr(logged)

    with capture_logs() as logged:
        run(everything)
    assert sum(each["event"] == "partner call" for each in logged) >= 10
