"""What `serve --sandbox` makes so that an issuer's cards can be tried: an account that pins the D1 twin's key."""

import json
from typing import TYPE_CHECKING, Any

from adapters.cli.refusals import Refused
from adapters.cli.session import connect, request_id
from adapters.cli.supervisor.credentials import ISSUER

if TYPE_CHECKING:
    from adapters.settings import Settings

ACCOUNT = "d1-issuer-sandbox"


def ready(settings: "Settings") -> bool:
    """Whether the twin answers."""
    try:
        _key(settings)
    except Refused:
        return False
    return True


def ensure(settings: "Settings") -> None:
    """Makes the account, or leaves it as it is. Raises Refused."""
    from mintmark.v1 import accounts_pb2, accounts_pb2_grpc

    key = _key(settings)
    try:
        pinned = accounts_pb2.D1PublicKey(public_key=json.dumps(key["jwk"]), thumbprint=key["thumbprint"])
    except (KeyError, TypeError) as error:
        raise Refused(f"the D1 twin does not say what its key is ({type(error).__name__})") from None
    account = accounts_pb2.Account(
        account_id=ACCOUNT,
        provider=accounts_pb2.ACCOUNT_PROVIDER_D1_ISSUER,
        mode=accounts_pb2.ACCOUNT_MODE_TEST,
        display_name="development only",
        issuer_id=ISSUER,
        d1_issuer=accounts_pb2.D1IssuerAccount(
            d1_public_keys=[pinned],
            card_verification=accounts_pb2.CARD_VERIFICATION_MODE_WITH_SECURITY_CODE,
            store_security_codes=True,
            tell_credentials=True,
            tell_consumers=True,
        ),
    )
    with connect(settings) as session:
        apply = accounts_pb2.ApplyAccountsRequest(request_id=request_id(), accounts=[account])
        session.call(accounts_pb2_grpc.AccountsServiceStub(session.channel).ApplyAccounts, apply)


def _key(settings: "Settings") -> dict[str, Any]:
    """The twin's public key. Raises Refused."""
    from adapters.cli.sandbox_control import SandboxControl

    control = SandboxControl(settings)
    try:
        return control.call("GET", "/d1-issuer/key")
    finally:
        control.close()
