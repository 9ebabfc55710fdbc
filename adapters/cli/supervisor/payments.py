"""What `serve --sandbox` makes so that payments work: an account at the PaymentOptions twin, a token to pay with."""

import json
from typing import TYPE_CHECKING

from adapters.cli.refusals import Refused
from adapters.cli.session import connect, request_id

if TYPE_CHECKING:
    from adapters.settings import Settings

ACCOUNT = "po-sandbox"
SHOP_GATEWAY = "SHOP_000001"
SHOP_MERCHANT = "shop-0001"
# The twin has it from its start: the partner's own sample.
STORED_METHOD = "094db781-fabc-4c6d-8fcd-18bee06a527a"
TOKEN = f"merchantGateways/{SHOP_GATEWAY}/merchants/{SHOP_MERCHANT}/tokens/{STORED_METHOD}"
RETURN_URL_PREFIX = "https://shop.example.com/checkout"
PREFIX = "/payment-options/api/v1"


def possible(settings: "Settings") -> bool:
    """Whether the twin has a URL that an account can name."""
    return not settings.sandbox_address.startswith("unix:")


def ready(settings: "Settings") -> bool:
    """Whether the twin has written down what merchants authenticate with; it does so when it starts."""
    return settings.sandbox_payment_options.is_file()


def ensure(settings: "Settings") -> None:
    """Makes account and token, or leaves them as they are. Raises Refused."""
    from mintmark.v1 import accounts_pb2, accounts_pb2_grpc, tokens_pb2, tokens_pb2_grpc

    try:
        credentials = json.loads(settings.sandbox_payment_options.read_text())
        options = accounts_pb2.PaymentOptionsAccount(
            base_url=f"http://{settings.sandbox_address}",
            path_prefix=PREFIX,
            authorization=credentials["authorization"],
            api_key=credentials["x_api_key"],
            partner_merchant_id=credentials["merchant_id"],
            return_url_prefixes=[RETURN_URL_PREFIX],
            merchant_email="shop@example.com",
            currencies=[accounts_pb2.PaymentCurrency(currency_code="EUR", amount_unit=accounts_pb2.AMOUNT_UNIT_MAJOR)],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(f"the PaymentOptions twin's credentials cannot be read ({type(error).__name__})") from None
    account = accounts_pb2.Account(
        account_id=ACCOUNT,
        provider=accounts_pb2.ACCOUNT_PROVIDER_PAYMENT_OPTIONS,
        mode=accounts_pb2.ACCOUNT_MODE_TEST,
        display_name="development only",
        merchant_gateway_id=SHOP_GATEWAY,
        payment_options=options,
    )
    token = tokens_pb2.TokenImport(
        merchant_gateway_id=SHOP_GATEWAY,
        merchant_id=SHOP_MERCHANT,
        token_id=STORED_METHOD,
        provider=tokens_pb2.TOKEN_PROVIDER_PAYMENT_OPTIONS,
    )
    with connect(settings) as session:
        apply = accounts_pb2.ApplyAccountsRequest(request_id=request_id(), accounts=[account])
        session.call(accounts_pb2_grpc.AccountsServiceStub(session.channel).ApplyAccounts, apply)
        imports = tokens_pb2.ImportTokensRequest(request_id=request_id(), tokens=[token])
        session.call(tokens_pb2_grpc.TokensServiceStub(session.channel).ImportTokens, imports)
