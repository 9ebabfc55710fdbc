"""`mintmark payments`: payments, their whole story, and what only an operator can settle."""

import ipaddress
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from adapters.cli.output import Column, Form, Limit, Output, enum_word, form_of, line, note, show, show_list, time_text
from adapters.cli.refusals import Refused, usage
from adapters.cli.session import Session, connect, request_id
from adapters.cli.words import enum_numbers, resource_name, seconds

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from mintmark.v1 import money_pb2, payments_pb2

M = TypeVar("M", bound="Message")

payments = typer.Typer(help="Payments through PaymentOptions.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="payments/{p}, or its id alone.")]
Reason = Annotated[str, typer.Option(help="Why, for those who look at it later.")]
AmountOption = Annotated[
    str, typer.Option("--amount", help="Minor units and currency, such as 1250EUR for 12.50 EUR; all where not given.")
]
Account = Annotated[str, typer.Option(help="Only this account; all where not given.")]
# How long one call to WaitPayment waits: well below a call's own limit.
WAIT_CALL_SECONDS = 8


def _money(money: Any) -> str:
    return f"{money.minor_amount} {money.currency_code}" if money.currency_code else ""


COLUMNS: list[Column] = [
    ("payment", lambda payment: payment.name),
    ("id of the merchant's", lambda payment: payment.merchant_payment_id),
    ("state", lambda payment: enum_word(payment, "state")),
    ("minor amount", lambda payment: _money(payment.amount)),
    ("captured", lambda payment: _money(payment.captured_amount)),
    ("unresolved", lambda payment: _money(payment.unresolved_amount)),
    ("double", lambda payment: "yes" if payment.duplicate_charge else ""),
    ("created", lambda payment: time_text(payment, "create_time")),
]
STORY_COLUMNS: list[Column] = [
    ("time", lambda evidence: time_text(evidence, "time")),
    ("operation", lambda evidence: evidence.operation.rpartition("/")[2]),
    ("evidence", lambda evidence: enum_word(evidence, "kind")),
    ("attempt", lambda evidence: str(evidence.attempt or "")),
    ("from", lambda evidence: enum_word(evidence, "state_before")),
    ("to", lambda evidence: enum_word(evidence, "state_after")),
    ("what", lambda evidence: evidence.summary),
    ("transaction", lambda evidence: evidence.partner_transaction_id),
    ("by", lambda evidence: evidence.actor),
]


@payments.command("list")
def list_payments(
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; repeat for several.")] = None,
    merchant_gateway: Annotated[str, typer.Option(help="Only of this merchant gateway.")] = "",
    merchant: Annotated[str, typer.Option(help="Only of this merchant.")] = "",
    merchant_payment_id: Annotated[str, typer.Option(help="Only with this id of the merchant's own.")] = "",
    duplicate_charge: Annotated[
        bool, typer.Option("--duplicate-charge", help="Only those that were charged more than once.")
    ] = False,
    limit: Limit = 0,
    output: Output = None,
) -> None:
    """List payments, the newest first."""
    from mintmark.v1 import payments_pb2

    request = payments_pb2.ListPaymentsRequest(
        states=enum_numbers(payments_pb2.PaymentState.DESCRIPTOR, state, "--state"),
        merchant_gateway_id=merchant_gateway,
        merchant_id=merchant,
        merchant_payment_id=merchant_payment_id,
        duplicate_charge=duplicate_charge,
    )
    _show_pages(request, limit, output)


@payments.command("in-doubt")
def list_in_doubt(limit: Limit = 0, output: Output = None) -> None:
    """List payments of which nobody knows whether they were charged: the operators' worklist."""
    from mintmark.v1 import payments_pb2

    _show_pages(payments_pb2.ListPaymentsRequest(in_doubt=True), limit, output)


def _show_pages(request: "payments_pb2.ListPaymentsRequest", limit: int, output: Form | None) -> None:
    with connect() as session:
        stub = payments_stub(session)
        show_list(session.pages(stub.ListPayments, request, lambda page: page.payments, limit), COLUMNS, output)


@payments.command("show")
def show_payment(name: Name, output: Output = None) -> None:
    """Show a payment with its operations, and how everything about it came to be known."""
    from mintmark.v1 import payments_pb2

    name = resource_name("payments", name)
    with connect() as session:
        stub = payments_stub(session)
        payment = session.call(stub.GetPayment, payments_pb2.GetPaymentRequest(name=name)).payment
        asked = payments_pb2.ListPaymentEvidenceRequest(name=name)
        story = list(session.pages(stub.ListPaymentEvidence, asked, lambda page: page.evidence, 0))
    show(payment, output)
    if form_of(output) is Form.TABLE:
        line("")
    show_list(story, STORY_COLUMNS, output)


@payments.command("create")
def create_payment(
    token: Annotated[str, typer.Option(help="merchantGateways/{g}/merchants/{m}/tokens/{t}")],
    merchant_payment_id: Annotated[str, typer.Option(help="The merchant's own id, such as an order number.")],
    amount: Annotated[str, typer.Option(help="Minor units and currency, such as 1250EUR for 12.50 EUR.")],
    details: Annotated[Path, typer.Option(help="A JSON file with the PaymentDetails: addresses, IP, return URLs.")],
    authorize: Annotated[bool, typer.Option("--authorize", help="Reserve the amount only.")] = False,
    own_request_id: Annotated[
        str, typer.Option("--request-id", help="A UUID; the same command with it again pays only once.")
    ] = "",
    output: Output = None,
) -> None:
    """Pay with a stored token. Prints the payment as PENDING; `wait` tells how it goes on."""
    from mintmark.v1 import payments_pb2

    fields: dict[str, Any] = {
        "request_id": own_request_id or request_id(),
        "token": token,
        "merchant_payment_id": merchant_payment_id,
        "amount": money_of(amount),
        "details": _details(details),
    }
    note(f"request id {fields['request_id']}")
    with connect() as session:
        stub = payments_stub(session)
        if authorize:
            show(session.call(stub.AuthorizePayment, payments_pb2.AuthorizePaymentRequest(**fields)).payment, output)
        else:
            show(session.call(stub.CreatePayment, payments_pb2.CreatePaymentRequest(**fields)).payment, output)


@payments.command("wait")
def wait_payment(
    name: Name,
    timeout: Annotated[str, typer.Option(help="How long, such as 30s.")] = "30s",
    output: Output = None,
) -> None:
    """Wait until a payment has settled. Exit code 1 where it has not in time."""
    with connect() as session:
        wait_and_show(session, resource_name("payments", name), seconds(timeout, "--timeout"), output)


def wait_and_show(session: Session, name: str, timeout: float, output: Form | None) -> None:
    """Shows the payment when it has settled. Raises Refused, after showing it, where it has not within `timeout`
    seconds."""
    from google.protobuf.duration_pb2 import Duration
    from mintmark.v1 import payments_pb2

    until = time.monotonic() + timeout
    stub = payments_stub(session)
    while True:
        left = max(0, min(WAIT_CALL_SECONDS, int(until - time.monotonic())))
        request = payments_pb2.WaitPaymentRequest(name=name, timeout=Duration(seconds=left))
        answer = session.call(stub.WaitPayment, request)
        if answer.settled or time.monotonic() >= until or left == 0:
            break
    show(answer.payment, output)
    if not answer.settled:
        raise Refused("it has not settled yet")


@payments.command("cancel")
def cancel_payment(name: Name, output: Output = None) -> None:
    """Take a payment back while nothing of it has been sent."""
    from mintmark.v1 import payments_pb2

    request = payments_pb2.CancelPaymentRequest(request_id=request_id(), name=resource_name("payments", name))
    with connect() as session:
        show(session.call(payments_stub(session).CancelPayment, request).payment, output)


@payments.command("capture")
def capture_payment(name: Name, amount: AmountOption = "", output: Output = None) -> None:
    """Take an authorized amount, or a part of it; the rest is released."""
    from mintmark.v1 import payments_pb2

    request = payments_pb2.CapturePaymentRequest(
        request_id=request_id(),
        name=resource_name("payments", name),
        amount=money_of(amount) if amount else None,
    )
    with connect() as session:
        show(session.call(payments_stub(session).CapturePayment, request).payment, output)


@payments.command("void")
def void_payment(name: Name, output: Output = None) -> None:
    """Release an authorization that was not captured."""
    from mintmark.v1 import payments_pb2

    request = payments_pb2.VoidPaymentRequest(request_id=request_id(), name=resource_name("payments", name))
    with connect() as session:
        show(session.call(payments_stub(session).VoidPayment, request).payment, output)


@payments.command("refund")
def refund_payment(
    name: Name,
    amount: AmountOption = "",
    operation: Annotated[
        str, typer.Option(help="The operation to pay back, such as a second charge; the payment's own where not given.")
    ] = "",
    output: Output = None,
) -> None:
    """Pay back what was captured, or a part of it."""
    from mintmark.v1 import payments_pb2

    request = payments_pb2.RefundPaymentRequest(
        request_id=request_id(),
        name=resource_name("payments", name),
        amount=money_of(amount) if amount else None,
        operation=operation,
    )
    with connect() as session:
        show(session.call(payments_stub(session).RefundPayment, request).payment, output)


@payments.command("resolve")
def resolve_payment(
    name: Name,
    reason: Reason,
    charged: Annotated[
        str,
        typer.Option(metavar="TRANSACTION", help="The partner has it under this transaction id: it is asked for it."),
    ] = "",
    not_charged: Annotated[bool, typer.Option("--not-charged", help="The partner has nothing of it.")] = False,
    output: Output = None,
) -> None:
    """Say what you found out about a payment in doubt.

    With --charged the partner is asked, and its answer settles the payment. --not-charged counts at once, from 15
    minutes after it could last have been on its way; evidence that comes later takes it back.
    """
    from mintmark.v1 import payments_pb2

    if bool(charged) == not_charged:
        raise usage("say either --charged TRANSACTION or --not-charged")
    word = payments_pb2.PAYMENT_RESOLUTION_CHARGED if charged else payments_pb2.PAYMENT_RESOLUTION_NOT_CHARGED
    request = payments_pb2.ResolvePaymentRequest(
        request_id=request_id(),
        name=resource_name("payments", name),
        resolution=word,
        partner_transaction_id=charged,
        reason=reason,
    )
    with connect() as session:
        show(session.call(payments_stub(session).ResolvePayment, request).payment, output)


@payments.command("hold")
def hold_payments(reason: Reason, account: Account = "", output: Output = None) -> None:
    """Stop sending payments; what is unsent stays unsent. Questions go on being asked."""
    from mintmark.v1 import payments_pb2

    name = resource_name("partnerAccounts", account) if account else ""
    request = payments_pb2.HoldPaymentsRequest(request_id=request_id(), account=name, reason=reason)
    with connect() as session:
        _count(
            session.call(payments_stub(session).HoldPayments, request), "held_count", "accounts are held now", output
        )


@payments.command("release")
def release_payments(reason: Reason, account: Account = "", output: Output = None) -> None:
    """Let sending go on."""
    from mintmark.v1 import payments_pb2

    name = resource_name("partnerAccounts", account) if account else ""
    request = payments_pb2.ReleasePaymentsRequest(request_id=request_id(), account=name, reason=reason)
    with connect() as session:
        _count(
            session.call(payments_stub(session).ReleasePayments, request),
            "released_count",
            "accounts send again",
            output,
        )


def payments_stub(session: Session) -> Any:
    from mintmark.v1 import payments_pb2_grpc

    return payments_pb2_grpc.PaymentsServiceStub(session.channel)


def _count(answer: Any, field: str, what: str, output: Form | None) -> None:
    if form_of(output) is Form.JSON:
        show(answer, output)
    else:
        line(f"{getattr(answer, field)} {what}")


def money_of(text: str) -> "money_pb2.Money":
    from mintmark.v1 import money_pb2

    digits, code = text[:-3].strip(), text[-3:]
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18 and code.isascii() and code.isalpha()):
        raise usage(f"--amount: {text!r} is not minor units and a currency, such as 1250EUR for 12.50 EUR")
    return money_pb2.Money(minor_amount=int(digits), currency_code=code.upper())


def details_of(path: Path, made: M) -> M:
    """The message that a file holds as JSON."""
    from google.protobuf import json_format

    try:
        return json_format.Parse(path.read_text(encoding="utf-8-sig"), made)
    except (OSError, UnicodeError) as error:
        raise usage(f"cannot read {path}: {error}") from None
    except json_format.ParseError as error:
        raise Refused(f"{path} does not hold {made.DESCRIPTOR.name}: {error}") from None


def _details(path: Path) -> "payments_pb2.PaymentDetails":
    from mintmark.v1 import payments_pb2

    made = details_of(path, payments_pb2.PaymentDetails())
    try:
        ipaddress.ip_address(made.customer_ip)
    except ValueError:
        raise Refused(f"{path}: customerIp is not an IP address") from None
    return made
