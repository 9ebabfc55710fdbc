"""An issuer's own system for the tests: a real server, whose every answer is as a test wants it."""

import json
import threading
from collections.abc import Mapping
from concurrent import futures
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from mintmark.directory.v1 import card_directory_pb2 as pb
from mintmark.directory.v1 import card_directory_pb2_grpc
from mintmark.v1 import accounts_pb2, consumers_pb2

from adapters.jose.keys import PrivateKeys, new_key

A = TypeVar("A", bound=Message)

GOOD: dict[str, Message] = {
    "VerifyCard": pb.VerifyCardResponse(card_id="card-7", consumer_id="consumer-7", security_code_valid=True),
    "GetCardCredentials": pb.GetCardCredentialsResponse(),
    "GetConsumerInformation": pb.GetConsumerInformationResponse(
        personal_data=consumers_pb2.PersonalData(language="pt-PT", first_name="Inês")
    ),
    "DeliverOneTimePassword": pb.DeliverOneTimePasswordResponse(),
    "Authenticate": pb.AuthenticateResponse(answer_json='{"authenticationId": "a-1"}'),
    "GetAuthenticationResult": pb.GetAuthenticationResultResponse(answer_json='{"result": "PENDING", "after": 1.50}'),
    "ActivatePhysicalCard": pb.ActivatePhysicalCardResponse(),
}


class FakeDirectory(card_directory_pb2_grpc.CardDirectoryServiceServicer):
    """Answers what `answers` has, a status code as an error; `free` keeps calls waiting. It opens what it is sent."""

    def __init__(self) -> None:
        self.keys = PrivateKeys(json.dumps({"keys": [new_key("issuer.key 1")]}))
        self.answers: dict[str, Message | grpc.StatusCode] = dict(GOOD)
        self.asked: list[tuple[str, Any]] = []
        self.metadata: list[dict[str, Any]] = []
        self.cards: list[dict[str, str]] = []
        self.free = threading.Event()
        self.free.set()
        self.port = 0
        self._server: grpc.Server | None = None

    def start(self, credentials: grpc.ServerCredentials | None = None, host: str = "127.0.0.1") -> "FakeDirectory":
        """Listens, on the port that it had before if it had one."""
        self._server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        card_directory_pb2_grpc.add_CardDirectoryServiceServicer_to_server(self, self._server)
        place = f"{host}:{self.port}"
        if credentials is None:
            self.port = self._server.add_insecure_port(place)
        else:
            self.port = self._server.add_secure_port(place, credentials)
        self._server.start()
        return self

    def stop(self) -> None:
        self.free.set()
        if self._server is not None:
            self._server.stop(0).wait()

    def as_before(self) -> None:
        """Forgets what a test has noted and changed."""
        self.free.set()
        self.answers = dict(GOOD)
        for noted in (self.asked, self.metadata, self.cards):
            noted.clear()

    def account(self, issuer_id: str, host: str = "127.0.0.1", **directory: Any) -> accounts_pb2.Account:
        """The account of an issuer whose system this is, as the core tells gateways of it."""
        [jwk] = self.keys.public_jwks()["keys"]
        key = accounts_pb2.D1PublicKey(
            public_key=json.dumps(jwk), thumbprint=self.keys.recipient(jwk["kid"]).thumbprint, key_id=jwk["kid"]
        )
        stated: Mapping[str, Any] = {"address": f"{host}:{self.port}", "public_key": key, **directory}
        return accounts_pb2.Account(
            name=f"partnerAccounts/{issuer_id}",
            account_id=issuer_id,
            provider=accounts_pb2.ACCOUNT_PROVIDER_D1_ISSUER,
            issuer_id=issuer_id,
            inbound_authentication=accounts_pb2.INBOUND_AUTHENTICATION_OAUTH,
            d1_issuer=accounts_pb2.D1IssuerAccount(
                card_verification=accounts_pb2.CARD_VERIFICATION_MODE_WITH_SECURITY_CODE,
                directory=accounts_pb2.CardDirectory(**stated),
            ),
        )

    # The service.

    def VerifyCard(  # noqa: N802  gRPC's name
        self, request: pb.VerifyCardRequest, context: grpc.ServicerContext
    ) -> pb.VerifyCardResponse:
        self.cards.append(json.loads(self.keys.opener().open(request.encrypted_card).plaintext))
        return self._answer(request, context, pb.VerifyCardResponse)

    def GetCardCredentials(  # noqa: N802
        self, request: pb.GetCardCredentialsRequest, context: grpc.ServicerContext
    ) -> pb.GetCardCredentialsResponse:
        return self._answer(request, context, pb.GetCardCredentialsResponse)

    def GetConsumerInformation(  # noqa: N802
        self, request: pb.GetConsumerInformationRequest, context: grpc.ServicerContext
    ) -> pb.GetConsumerInformationResponse:
        return self._answer(request, context, pb.GetConsumerInformationResponse)

    def DeliverOneTimePassword(  # noqa: N802
        self, request: pb.DeliverOneTimePasswordRequest, context: grpc.ServicerContext
    ) -> pb.DeliverOneTimePasswordResponse:
        return self._answer(request, context, pb.DeliverOneTimePasswordResponse)

    def Authenticate(  # noqa: N802
        self, request: pb.AuthenticateRequest, context: grpc.ServicerContext
    ) -> pb.AuthenticateResponse:
        return self._answer(request, context, pb.AuthenticateResponse)

    def GetAuthenticationResult(  # noqa: N802
        self, request: pb.GetAuthenticationResultRequest, context: grpc.ServicerContext
    ) -> pb.GetAuthenticationResultResponse:
        return self._answer(request, context, pb.GetAuthenticationResultResponse)

    def ActivatePhysicalCard(  # noqa: N802
        self, request: pb.ActivatePhysicalCardRequest, context: grpc.ServicerContext
    ) -> pb.ActivatePhysicalCardResponse:
        return self._answer(request, context, pb.ActivatePhysicalCardResponse)

    def _answer(self, request: Message, context: grpc.ServicerContext, kind: type[A]) -> A:
        method = type(request).__name__.removesuffix("Request")
        self.asked.append((method, request))
        self.metadata.append(dict(context.invocation_metadata()))
        self.free.wait(20)
        answer = self.answers[method]
        if isinstance(answer, grpc.StatusCode):
            context.abort(answer, "as the test wants: 4111111111111111")
        assert isinstance(answer, kind)
        return answer
