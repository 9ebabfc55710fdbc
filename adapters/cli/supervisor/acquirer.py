"""What `serve --sandbox` makes so that the acquirer can be tried: an account at the SIBS twin."""

from typing import TYPE_CHECKING, Any

from adapters.cli.refusals import Refused
from adapters.cli.session import connect, request_id

if TYPE_CHECKING:
    from adapters.settings import Settings

ACCOUNT = "sibs-sandbox"
GATEWAY = "ACQ_000001"
TWIN = "/sibs"


def possible(settings: "Settings") -> bool:
    """Whether the twin has a URL that an account can name."""
    return not settings.sandbox_address.startswith("unix:")


def ready(settings: "Settings") -> bool:
    """Whether the twin answers."""
    try:
        _state(settings)
    except Refused:
        return False
    return True


def ensure(settings: "Settings") -> None:
    """Makes the account, or leaves it as it is. Raises Refused."""
    from mintmark.v1 import accounts_pb2, accounts_pb2_grpc

    state = _state(settings)
    twin = f"http://{settings.sandbox_address}"
    try:
        sibs = accounts_pb2.SibsAccount(
            base_url=twin,
            path_prefix=TWIN,
            acquirer_id=state["acquirerId"],
            client_id=state["clientId"],
            client_credentials=accounts_pb2.SibsClientCredentials(
                token_url=f"{twin}{TWIN}/oauth2/token",
                client_id=state["clientId"],
                client_secret=state["clientSecret"],
            ),
            payments_base_url=twin,
            payments_path_prefix=f"{TWIN}/api/v1/payments",
            delete_by_update=True,
            support_email="ops@example.com",
        )
        merchants = [state["merchantId"]]
    except (KeyError, TypeError) as error:
        raise Refused(f"the SIBS twin does not say how it is reached ({type(error).__name__})") from None
    account = accounts_pb2.Account(
        account_id=ACCOUNT,
        provider=accounts_pb2.ACCOUNT_PROVIDER_SIBS,
        mode=accounts_pb2.ACCOUNT_MODE_TEST,
        display_name="development only",
        merchant_gateway_id=GATEWAY,
        merchant_ids=merchants,
        sibs=sibs,
    )
    with connect(settings) as session:
        apply = accounts_pb2.ApplyAccountsRequest(request_id=request_id(), accounts=[account])
        session.call(accounts_pb2_grpc.AccountsServiceStub(session.channel).ApplyAccounts, apply)


def _state(settings: "Settings") -> dict[str, Any]:
    """How the twin is reached. Raises Refused."""
    from adapters.cli.sandbox_control import SandboxControl

    control = SandboxControl(settings)
    try:
        return control.call("GET", f"{TWIN}/control/state")
    finally:
        control.close()
