"""`mintmark payment-subscriptions`: what PaymentOptions charges again and again by itself."""

from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.cli.output import Column, Limit, Output, enum_word, note, show, show_list, time_text
from adapters.cli.payments import details_of, money_of
from adapters.cli.session import Session, connect, request_id
from adapters.cli.words import enum_number, enum_numbers, resource_name

payment_subscriptions = typer.Typer(help="Subscriptions at PaymentOptions.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="paymentSubscriptions/{s}, or its id alone.")]
OwnRequestId = Annotated[
    str, typer.Option("--request-id", help="A UUID; the same command with it again does it only once.")
]
COLUMNS: list[Column] = [
    ("subscription", lambda each: each.name),
    ("id of the merchant's", lambda each: each.merchant_subscription_id),
    ("state", lambda each: enum_word(each, "state")),
    ("to be", lambda each: enum_word(each, "wish") if each.wish else ""),
    ("minor amount", lambda each: f"{each.amount.minor_amount} {each.amount.currency_code}"),
    ("cycles", lambda each: f"{each.completed_cycle_count} of {each.plan.max_cycle_count}"),
    ("next", lambda each: time_text(each, "next_payment_time")),
    ("overdue", lambda each: "yes" if each.overdue else ""),
    ("payment", lambda each: each.payment),
]


@payment_subscriptions.command("create")
def create_subscription(
    token: Annotated[str, typer.Option(help="merchantGateways/{g}/merchants/{m}/tokens/{t}")],
    merchant_subscription_id: Annotated[str, typer.Option(help="The merchant's own id, such as a contract number.")],
    amount: Annotated[str, typer.Option(help="What a cycle costs: minor units and currency, such as 1250EUR.")],
    plan_name: Annotated[str, typer.Option("--plan", help="The plan's name, which the payer may see.")],
    details: Annotated[Path, typer.Option(help="A JSON file with the PaymentDetails: addresses, IP, return URLs.")],
    every: Annotated[str, typer.Option(help="The unit of a cycle: days, weekly or monthly.")] = "monthly",
    interval: Annotated[int, typer.Option(min=1, max=366, help="How many units a cycle has.")] = 1,
    cycles: Annotated[int, typer.Option(min=1, max=1200, help="How many cycles there are at most.")] = 12,
    trial_days: Annotated[int, typer.Option(min=0, max=366, help="Days without a charge at the beginning.")] = 0,
    discount: Annotated[int, typer.Option(min=0, max=99, help="Percent that the first cycles cost less.")] = 0,
    discount_cycles: Annotated[int, typer.Option(min=0, max=1200, help="How many cycles have the discount.")] = 0,
    description: Annotated[str, typer.Option(help="The plan's description.")] = "",
    own_request_id: OwnRequestId = "",
    output: Output = None,
) -> None:
    """Have the partner charge a token again and again. Prints it as PENDING; `show` tells how it goes on."""
    from mintmark.v1 import payment_subscriptions_pb2 as pb
    from mintmark.v1 import payments_pb2

    request = pb.CreatePaymentSubscriptionRequest(
        request_id=own_request_id or request_id(),
        token=token,
        merchant_subscription_id=merchant_subscription_id,
        amount=money_of(amount),
        plan=pb.PaymentPlan(
            name=plan_name,
            description=description,
            cycle_unit=enum_number(pb.PaymentCycleUnit.DESCRIPTOR, every, "--every"),
            cycle_interval=interval,
            max_cycle_count=cycles,
            trial_days=trial_days,
            discount_percentage=discount,
            discount_cycle_count=discount_cycles,
        ),
        details=details_of(details, payments_pb2.PaymentDetails()),
    )
    note(f"request id {request.request_id}")
    with connect() as session:
        show(session.call(_stub(session).CreatePaymentSubscription, request).payment_subscription, output)


@payment_subscriptions.command("list")
def list_subscriptions(
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; repeat for several.")] = None,
    merchant_gateway: Annotated[str, typer.Option(help="Only of this merchant gateway.")] = "",
    merchant: Annotated[str, typer.Option(help="Only of this merchant.")] = "",
    token: Annotated[str, typer.Option(help="Only with this token.")] = "",
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those with a due cycle nobody knows of.")] = False,
    limit: Limit = 0,
    output: Output = None,
) -> None:
    """List subscriptions, the newest first."""
    from mintmark.v1 import payment_subscriptions_pb2 as pb

    request = pb.ListPaymentSubscriptionsRequest(
        states=enum_numbers(pb.PaymentSubscriptionState.DESCRIPTOR, state, "--state"),
        merchant_gateway_id=merchant_gateway,
        merchant_id=merchant,
        token=token,
        overdue=overdue,
    )
    with connect() as session:
        method = _stub(session).ListPaymentSubscriptions
        show_list(session.pages(method, request, lambda page: page.payment_subscriptions, limit), COLUMNS, output)


@payment_subscriptions.command("show")
def show_subscription(name: Name, output: Output = None) -> None:
    """Show a subscription. Its charges are the operations of its payment: `mintmark payments show`."""
    from mintmark.v1 import payment_subscriptions_pb2 as pb

    request = pb.GetPaymentSubscriptionRequest(name=_name(name))
    with connect() as session:
        show(session.call(_stub(session).GetPaymentSubscription, request).payment_subscription, output)


@payment_subscriptions.command("cancel")
def cancel_subscription(name: Name, own_request_id: OwnRequestId = "", output: Output = None) -> None:
    """Have the partner charge no more; final."""
    from mintmark.v1 import payment_subscriptions_pb2 as pb

    request = pb.CancelPaymentSubscriptionRequest(request_id=own_request_id or request_id(), name=_name(name))
    with connect() as session:
        show(session.call(_stub(session).CancelPaymentSubscription, request).payment_subscription, output)


@payment_subscriptions.command("resume")
def resume_subscription(name: Name, own_request_id: OwnRequestId = "", output: Output = None) -> None:
    """Have the partner go on with what is paused there."""
    from mintmark.v1 import payment_subscriptions_pb2 as pb

    request = pb.ResumePaymentSubscriptionRequest(request_id=own_request_id or request_id(), name=_name(name))
    with connect() as session:
        show(session.call(_stub(session).ResumePaymentSubscription, request).payment_subscription, output)


@payment_subscriptions.command("refresh")
def refresh_subscription(name: Name, output: Output = None) -> None:
    """Have the partner asked now how it stands."""
    from mintmark.v1 import payment_subscriptions_pb2 as pb

    request = pb.RefreshPaymentSubscriptionRequest(request_id=request_id(), name=_name(name))
    with connect() as session:
        show(session.call(_stub(session).RefreshPaymentSubscription, request).payment_subscription, output)


def _name(text: str) -> str:
    return resource_name("paymentSubscriptions", text)


def _stub(session: Session) -> Any:
    from mintmark.v1 import payment_subscriptions_pb2_grpc

    return payment_subscriptions_pb2_grpc.PaymentSubscriptionsServiceStub(session.channel)
