"""What `serve --sandbox` makes so that tokens are read again at D1's twin: a key, of which the twin gets the public
part, and an account."""

import json
from typing import TYPE_CHECKING, Any

from adapters.cli.refusals import Refused
from adapters.cli.session import connect, request_id
from adapters.cli.supervisor.credentials import MERCHANT_GATEWAY, keep

if TYPE_CHECKING:
    from adapters.settings import Settings

ACCOUNT = "d1-sandbox"
KEY_ID = "d1-sandbox"
CONTROL = "/d1-api/control"


def possible(settings: "Settings") -> bool:
    """Whether the twin has a URL that an account can name."""
    return not settings.sandbox_address.startswith("unix:")


def ready(settings: "Settings") -> bool:
    """Whether the twin answers."""
    try:
        _call(settings, "GET", "/state")
    except Refused:
        return False
    return True


def ensure(settings: "Settings") -> None:
    """Makes key and account, or leaves them as they are. Raises Refused."""
    from mintmark.v1 import accounts_pb2, accounts_pb2_grpc

    from adapters.jose.signing_keys import public_part

    key = _key(settings)
    public = json.dumps(public_part(key))
    _call(settings, "PUT", "/keys", {"issuer": MERCHANT_GATEWAY, "keyId": KEY_ID, "publicKey": public})
    account = accounts_pb2.Account(
        account_id=ACCOUNT,
        provider=accounts_pb2.ACCOUNT_PROVIDER_D1_ECOM,
        mode=accounts_pb2.ACCOUNT_MODE_TEST,
        display_name="development only",
        merchant_gateway_id=MERCHANT_GATEWAY,
        d1_api=accounts_pb2.D1Api(
            base_url=f"http://{settings.sandbox_address}", key_id=KEY_ID, signing_key=json.dumps(key)
        ),
    )
    with connect(settings) as session:
        apply = accounts_pb2.ApplyAccountsRequest(request_id=request_id(), accounts=[account])
        session.call(accounts_pb2_grpc.AccountsServiceStub(session.channel).ApplyAccounts, apply)


def _key(settings: "Settings") -> dict[str, str]:
    """Our private key: kept in the data folder from the first start on."""
    from adapters.jose.signing_keys import new_signing_key

    path = settings.data_dir / "credentials" / "sandbox.d1_api.json"
    try:
        kept = json.loads(path.read_text())
    except (OSError, ValueError):
        kept = None
    if isinstance(kept, dict) and "d" in kept:
        return {str(name): str(text) for name, text in kept.items()}
    made = new_signing_key()
    keep(path, made)
    return made


def _call(settings: "Settings", method: str, path: str, document: dict[str, Any] | None = None) -> dict[str, Any]:
    from adapters.cli.sandbox_control import SandboxControl

    control = SandboxControl(settings)
    try:
        return control.call(method, f"{CONTROL}{path}", document)
    finally:
        control.close()
