"""Payment tokens."""

from collections.abc import Iterable

import grpc
from mintmark.v1 import tokens_pb2 as pb
from mintmark.v1 import tokens_pb2_grpc

from mintmark_client.pages import listing


class Tokens:
    """The methods of TokensService. All are safe to repeat.

    `list(...)` takes the fields of ListTokensRequest as keywords and iterates over the tokens of all pages. Writes take
    a `request_id`, a UUID; without one each call has its own.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = tokens_pb2_grpc.TokensServiceStub(channel)
        self.list = listing(self._stub.ListTokens, pb.ListTokensRequest, lambda page: page.tokens)

    def get(self, name: str) -> pb.Token:
        """One token. Raises NotFound."""
        return self._stub.GetToken(pb.GetTokenRequest(name=name)).token

    def import_(self, tokens: Iterable[pb.TokenImport], *, request_id: str = "") -> pb.ImportTokensResponse:
        """Makes tokens known, 1,000 at most, all or none. Raises InvalidRequest."""
        return self._stub.ImportTokens(pb.ImportTokensRequest(request_id=request_id, tokens=tokens))

    def disable(self, name: str, reason: str, *, etag: str = "", request_id: str = "") -> pb.Token:
        """Takes a token out of use on our side. Raises NotFound, PreconditionFailed where the etag is not this."""
        request = pb.DisableTokenRequest(request_id=request_id, name=name, reason=reason, etag=etag)
        return self._stub.DisableToken(request).token

    def enable(self, name: str, *, etag: str = "", request_id: str = "") -> pb.Token:
        """Takes a disabled token into use again. Raises NotFound, PreconditionFailed where the etag is not this."""
        return self._stub.EnableToken(pb.EnableTokenRequest(request_id=request_id, name=name, etag=etag)).token

    def refresh(self, name: str, *, request_id: str = "") -> pb.Token:
        """Has a token read again at the partner now. Raises NotFound, PreconditionFailed where no account says how."""
        return self._stub.RefreshToken(pb.RefreshTokenRequest(request_id=request_id, name=name)).token
