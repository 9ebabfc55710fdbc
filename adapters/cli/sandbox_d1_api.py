"""`mintmark sandbox d1-api`: the twin of D1's own API, where tokens are read again."""

from pathlib import Path
from typing import Annotated

import typer

from adapters.cli.output import Output
from adapters.cli.refusals import Refused, usage
from adapters.cli.twin_documents import Document, show_call, show_lines

d1_api = typer.Typer(help="D1's own API: its token endpoint, and the cards behind tokens.")

CONTROL = "/d1-api/control"
MERCHANT_GATEWAY, MERCHANT = "MGW_000001", "10610027312"

Token = Annotated[str, typer.Argument(help="The token id, as D1 writes it.")]
MerchantGateway = Annotated[str, typer.Option(help="The merchant gateway.")]
Merchant = Annotated[str, typer.Option(help="The merchant.")]


@d1_api.command("state")
def state(output: Output = None) -> None:
    """Show how the twin is: the keys that it was given, what it has issued, its faults."""
    show_call("GET", f"{CONTROL}/state", None, _state, output)


@d1_api.command("requests")
def requests(output: Output = None) -> None:
    """Show the newest calls that came, and why one was refused."""
    show_lines(f"{CONTROL}/requests", _request, output)


@d1_api.command("give-key")
def give_key(
    file: Annotated[Path, typer.Argument(help="Our public key: PEM or JWK.", exists=True, dir_okay=False)],
    key_id: Annotated[str, typer.Option(help="The id that assertions name it by (kid).")],
    issuer: Annotated[str, typer.Option(help="Whose it is (iss): the merchant gateway.")] = MERCHANT_GATEWAY,
    output: Output = None,
) -> None:
    """Give D1 our public key, as at onboarding."""
    try:
        text = file.read_text()
    except (OSError, UnicodeError) as error:
        raise usage(f"cannot read {file}: {type(error).__name__}") from None
    order: Document = {"issuer": issuer, "keyId": key_id, "publicKey": text}
    show_call("PUT", f"{CONTROL}/keys", order, _state, output)


@d1_api.command("change-card")
def change_card(
    token: Token,
    merchant_gateway: MerchantGateway = MERCHANT_GATEWAY,
    merchant: Merchant = MERCHANT,
    last_digits: Annotated[str | None, typer.Option(help="The new card's last digits.")] = None,
    card_bin: Annotated[str | None, typer.Option("--bin", help="The new card's first digits.")] = None,
    expiry: Annotated[str | None, typer.Option(help="The new card's expiry date, MMYY.")] = None,
    token_state: Annotated[str | None, typer.Option("--state", help="The token's state, such as SUSPENDED.")] = None,
    silent: Annotated[bool, typer.Option("--silent", help="D1 does not tell us.")] = False,
    output: Output = None,
) -> None:
    """Replace the card behind a token, renewed where nothing is given, and have D1 tell us."""
    given = {"cardLastDigits": last_digits, "cardBin": card_bin, "cardExpiryDate": expiry, "tokenState": token_state}
    order: Document = {
        "fields": {name: value for name, value in given.items() if value is not None},
        "notify": not silent,
    }
    told: list[Document] = []

    def text(answer: Document) -> str:
        told.append(answer)
        return _card(answer["card"])

    show_call("POST", f"{CONTROL}/tokens/{merchant_gateway}/{merchant}/{token}/change-card", order, text, output)
    if told and not all(delivery["acknowledged"] for delivery in told[0]["deliveries"]):
        raise Refused(
            "the card has changed, but D1's notification was not acknowledged", "see `mintmark sandbox state`"
        )


@d1_api.command("forget")
def forget(
    token: Token,
    merchant_gateway: MerchantGateway = MERCHANT_GATEWAY,
    merchant: Merchant = MERCHANT,
    output: Output = None,
) -> None:
    """Have D1 know a token no more, until its card is changed."""
    show_call("POST", f"{CONTROL}/tokens/{merchant_gateway}/{merchant}/{token}/forget", None, _card, output)


@d1_api.command("fault")
def fault(
    call: Annotated[str, typer.Argument(help="token: the token endpoint; details: the details of tokens.")],
    kind: Annotated[str, typer.Argument(help="status, hang, garbage, empty or oversize.")],
    status: Annotated[int, typer.Option(help="status: the HTTP status.")] = 503,
    seconds: Annotated[float, typer.Option(help="hang: how long.")] = 20.0,
    times: Annotated[int, typer.Option(min=1, help="How often.")] = 1,
    always: Annotated[bool, typer.Option("--always", help="Every time, not only --times.")] = False,
    retry_after: Annotated[int, typer.Option(help="status: the Retry-After header, in seconds.")] = 0,
    output: Output = None,
) -> None:
    """Let the next calls go wrong."""
    order: Document = {"call": call, "fault": kind, "status": status, "seconds": seconds, "retry_after": retry_after}
    show_call("POST", f"{CONTROL}/faults", {**order, "times": 0 if always else times}, _faults, output)


@d1_api.command("clear-faults")
def clear_faults(output: Output = None) -> None:
    """Let nothing go wrong any more."""
    show_call("DELETE", f"{CONTROL}/faults", None, _faults, output)


@d1_api.command("revoke")
def revoke(output: Output = None) -> None:
    """End all access tokens that it has issued."""
    show_call("POST", f"{CONTROL}/access-tokens/revoke", None, lambda answer: f"{answer['revokedNow']} ended", output)


def _state(document: Document) -> str:
    keys = "; ".join(f"{key['keyId']} of {key['issuer']} ({key['thumbprint']})" for key in document["keys"])
    return (
        f"token endpoint {document['tokenPath']}, details {document['detailsPath']}\n"
        f"keys: {keys or 'none'}\n"
        f"{document['accessTokensIssued']} access tokens issued, {document['changedCards']} cards changed\n"
        f"{_faults(document)}"
    )


def _request(document: Document) -> str:
    about = document.get("token", "")
    return f"{document['status']} {document['call']:<8} {about} {document['why']}".rstrip()


def _card(document: Document) -> str:
    known = "forgotten" if document["forgotten"] else document["tokenState"]
    return f"{known} {document['cardBin']}…{document['cardLastDigits']} {document['cardExpiryDate']}"


def _faults(document: Document) -> str:
    left = ", ".join(f"{each['call']} {each['fault']} x{each['times'] or '∞'}" for each in document["faults"])
    return f"faults: {left or 'none'}"
