"""The entry of the command `mintmark`."""

import contextlib
import sys

import typer

from adapters.cli import output
from adapters.cli.accounts import accounts
from adapters.cli.acquirer_transactions import acquirer_transactions
from adapters.cli.api_keys import api_keys
from adapters.cli.bindings import bindings
from adapters.cli.card_keys import card_keys
from adapters.cli.card_number_hash_keys import card_number_hash_keys
from adapters.cli.cards import cards
from adapters.cli.clients import clients
from adapters.cli.consumers import consumers
from adapters.cli.events import events
from adapters.cli.hosted_pages import create_hosted_page
from adapters.cli.issuer_operations import issuer_operations
from adapters.cli.merchants import merchants
from adapters.cli.notifications import notifications
from adapters.cli.payment_reconciliations import list_unknown_charges, reconcile
from adapters.cli.payment_subscriptions import payment_subscriptions
from adapters.cli.payments import payments
from adapters.cli.refusals import REFUSED, USAGE, Refused
from adapters.cli.replays import replays
from adapters.cli.retention import retention
from adapters.cli.roles import core, dispatcher, gateway, keyring, migrate, serve
from adapters.cli.sandbox import sandbox
from adapters.cli.subscriptions import subscriptions
from adapters.cli.tokens import tokens
from adapters.cli.unreadable_notifications import unreadable_notifications
from adapters.cli.webhooks import webhooks

app = typer.Typer(
    name="mintmark",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(form: output.Output = None) -> None:
    """Mintmark: where a company's card tokens meet the outside world.

    Exit codes: 0 done, 1 refused (the reason is on stderr), 2 wrong usage or settings, 3 done and a person has to look.
    """
    output.choose(form)


for command in (serve, core, gateway, dispatcher, migrate):
    app.command()(command)
payments.command("create-hosted-page")(create_hosted_page)
payments.command("reconcile")(reconcile)
payments.command("unknown-charges")(list_unknown_charges)
for name, group in {
    "sandbox": sandbox,
    "clients": clients,
    "api-keys": api_keys,
    "accounts": accounts,
    "tokens": tokens,
    "bindings": bindings,
    "merchants": merchants,
    "payments": payments,
    "payment-subscriptions": payment_subscriptions,
    "webhooks": webhooks,
    "acquirer-transactions": acquirer_transactions,
    "issuer-operations": issuer_operations,
    "cards": cards,
    "consumers": consumers,
    "unreadable-notifications": unreadable_notifications,
    "events": events,
    "subscriptions": subscriptions,
    "notifications": notifications,
    "retention": retention,
    "replays": replays,
    "keyring": keyring,
    "card-keys": card_keys,
    "card-number-hash-keys": card_number_hash_keys,
}.items():
    app.add_typer(group, name=name)


def main() -> None:
    """Runs the command and ends the process with its exit code."""
    from adapters.settings import SettingsInvalid

    try:
        app()
    except Refused as refused:
        _end(str(refused), refused.code)
    except SettingsInvalid as invalid:
        _end(f"mintmark: {invalid}", USAGE)
    except KeyboardInterrupt:
        _end("", 130)


def _end(text: str, code: int = REFUSED) -> None:
    with contextlib.suppress(BrokenPipeError):
        if text:
            sys.stderr.write(text + "\n")
    sys.exit(code)
