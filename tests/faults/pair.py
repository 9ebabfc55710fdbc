"""A core and a gateway of their own, with a partner that sends and remembers what was acknowledged."""

import itertools
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import httpx
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from mintmark.v1 import tokens_pb2, tokens_pb2_grpc

from tests.faults.core_process import CALL_SECONDS, REPOSITORY, SERVER, CoreProcess
from tests.faults.reading import Reading
from tests.faults.scenario import D1_GATEWAY, MERCHANT, Scenario
from tests.plain import PLAIN
from tests.stack import UNLIMITED, free_ports
from tests.waiting import eventually

RECOVERY_SECONDS = 20
# What a partner waits for an answer at most, in any outage.
LONGEST_ANSWER = 7.0


class Pair(CoreProcess):
    """A core with a gateway in front of it. The gateway lives on when the core is stopped."""

    def start(self, program: Sequence[str] = SERVER, before: Sequence[str] = ()) -> "Pair":
        super().start(program, before)
        scenario = Scenario(self).authenticated()
        self.client_secret = scenario.steps()["create client"]().client_secret
        self.api_key = scenario.steps()["create api key"]().key
        http, admin = (f"127.0.0.1:{port}" for port in free_ports(2))
        listening = {"MINTMARK_HTTP_ADDRESS": http, "MINTMARK_ADMIN_ADDRESS": admin}
        environment = {**self.environment, **listening, **UNLIMITED}
        command = [sys.executable, "-m", "adapters", "gateway"]
        with self.log.open("ab") as log:
            self.gateway = subprocess.Popen(command, env=environment, cwd=REPOSITORY, stdout=log, stderr=log)
        self.url = f"http://{http}"
        self.http = httpx.Client(base_url=self.url, timeout=2 * LONGEST_ANSWER, verify=PLAIN)
        eventually(lambda: self._gateway_ready(admin), 30, "the start of the gateway")
        self.partner = Partner(self)
        return self

    def remove(self) -> None:
        gateway = getattr(self, "gateway", None)
        if gateway is not None:
            gateway.kill()
            gateway.wait(10)
            self.http.close()
        super().remove()

    def _gateway_ready(self, admin: str) -> bool:
        assert self.gateway.poll() is None, self.log.read_text()
        try:
            return httpx.get(f"http://{admin}/readyz", timeout=2, verify=PLAIN).status_code == 200
        except httpx.TransportError:
            return False


class Partner:
    """Thales, as far as these tests need it. Remembers the correlation ids of what was answered with 204."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._numbers = itertools.count(1)
        self.acknowledged: list[str] = []
        self.statuses: Counter[int] = Counter()
        basic = httpx.BasicAuth("thales", pair.client_secret)
        answer = pair.http.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=basic)
        assert answer.status_code == 200, answer.text
        self.access_token = str(answer.json()["access_token"])

    def send(self, feed: str = "d1") -> httpx.Response:
        """One notification that the gateway has never seen. Its answer is 204, or 503 with a Retry-After."""
        number = next(self._numbers)
        correlation_id = f"{feed}-{os.getpid()}-{number}"
        if feed == "d1":
            path = f"/merchant-gateways/{D1_GATEWAY}/merchants/{MERCHANT}/tokens/token-{number}/notify-update"
            body: dict[str, Any] = {"updateType": "TOKEN_METADATA_UPDATED"}
            authorization = f"Bearer {self.access_token}"
        else:
            path = "/notify-binding-creation"
            body = {"tokenId": f"t{number}", "deviceId": "d", "merchantId": "m", "selectedIdvMethod": "NONE"}
            authorization = f"APIKEY {self._pair.api_key}"
        headers = {"authorization": authorization, "x-correlation-id": correlation_id}
        answer = self._pair.http.post(path, json=body, headers=headers)
        self.statuses[answer.status_code] += 1
        assert answer.status_code in (204, 503), f"{answer.status_code}: {answer.text}"
        assert answer.elapsed.total_seconds() < LONGEST_ANSWER
        if answer.status_code == 204:
            self.acknowledged.append(correlation_id)
        else:
            assert int(answer.headers["retry-after"]) > 0
            assert "error" in answer.json()
        return answer

    def send_many(self, count: int = 20) -> set[int]:
        """Several at the same time, of both feeds. The statuses that came back."""
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(self.send, itertools.islice(itertools.cycle(("d1", "tsh")), count))
            return {answer.status_code for answer in answers}

    def is_refused(self) -> None:
        """Holds that nothing can be stored, and that internal callers hear why."""
        assert self.send_many() == {503}
        assert self.import_token() == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")

    def works_again(self) -> None:
        """Holds that everything works without anybody's help, and that nothing acknowledged is lost."""
        # A gateway that has just found the core again may have to wait for its principals still.
        eventually(lambda: self.send_many() == {204}, RECOVERY_SECONDS, "nothing but acknowledgements")
        assert self.import_token() == (grpc.StatusCode.OK, "")
        stored = Counter(each.correlation_id for each in self._reading().notifications())
        assert not set(self.acknowledged) - set(stored)
        assert set(stored.values()) == {1}
        events = self._reading().events()
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        told = Counter(event.correlation_id for event in events if event.notification)
        assert told == stored

    def import_token(self) -> tuple[grpc.StatusCode, str]:
        """A write of an internal caller: its code, and the reason where it was refused."""
        token = tokens_pb2.TokenImport(
            merchant_gateway_id=D1_GATEWAY,
            merchant_id=MERCHANT,
            token_id=f"imported-{next(self._numbers)}",
            provider=tokens_pb2.TOKEN_PROVIDER_D1_ECOM,
        )
        request = tokens_pb2.ImportTokensRequest(
            request_id=f"00000000-0000-4000-8000-{next(self._numbers):012}", tokens=[token]
        )
        stub = tokens_pb2_grpc.TokensServiceStub(self._pair.channel())
        try:
            stub.ImportTokens(request, metadata=self._pair.metadata(), timeout=CALL_SECONDS)
        except grpc.RpcError as error:
            return error.code(), _reason(error)
        return grpc.StatusCode.OK, ""

    def _reading(self) -> Reading:
        return Reading(self._pair.channel(), self._pair.metadata())


def _reason(error: grpc.RpcError) -> str:
    status = rpc_status.from_call(error)
    about = error_details_pb2.ErrorInfo()
    for detail in status.details if status else ():
        if detail.Unpack(about):
            return str(about.reason)
    return ""
