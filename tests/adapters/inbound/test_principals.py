"""The mirror of who may call: what it forgets, and what it survives."""

from mintmark.v1 import access_tokens_pb2, principals_pb2

from adapters.clock import Clock
from adapters.inbound.principals import Principals
from tests.adapters.inbound.running import Running
from tests.waiting import eventually


class Moved(Clock):
    """A clock that tests move."""

    def __init__(self) -> None:
        self.seconds = 0.0
        super().__init__(wall=lambda: 1_000_000 + self.seconds, monotonic=lambda: 1000 + self.seconds)


def revoked(jwt_id: str, end: int) -> principals_pb2.WatchPrincipalsResponse:
    message = principals_pb2.WatchPrincipalsResponse()
    message.revoked_access_tokens.add(jwt_id=jwt_id).expire_time.FromSeconds(end)
    return message


def test_revoked_access_tokens_are_forgotten_long_after_their_end() -> None:
    clock = Moved()
    principals = Principals(clock)
    principals.apply(revoked("first", 1_000_900))
    clock.seconds = 1000
    principals.apply(revoked("second", 1_001_900))
    assert set(principals.revoked) == {"first", "second"}
    clock.seconds = 4600
    principals.apply(revoked("third", 1_005_500))
    assert set(principals.revoked) == {"second", "third"}


def test_a_message_that_cannot_be_taken_in_does_not_end_the_watch(gateway: Running) -> None:
    broken = access_tokens_pb2.JsonWebKey(kid="broken", kty="EC", crv="P-256", x="!", y="!", alg="ES256", use="sig")
    gateway.core.change(principals_pb2.WatchPrincipalsResponse(jwks=[broken]))
    eventually(lambda: any("watch of principals" in line["event"] for line in gateway.logged()))
    eventually(lambda: gateway.client.get("/.well-known/jwks.json").json()["keys"][0]["kid"] == "signing-1")
    assert gateway.d1().status_code == 204
