"""The migrations make what the schema says, and the schema what the dataclasses say."""

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Table

from server.domain.accounts import Account
from server.domain.acquirer_transactions import AcquirerTransaction
from server.domain.acquirer_transactions import Report as AcquirerReport
from server.domain.api_keys import ApiKey
from server.domain.bindings import Binding
from server.domain.card_accesses import CardAccess
from server.domain.card_keys import CardHashKey, CardKey
from server.domain.cards import Card
from server.domain.clients import Client
from server.domain.consumers import Consumer
from server.domain.digital_cards import DigitalCard
from server.domain.events import Event
from server.domain.issuer_operations import IssuerOperation
from server.domain.merchants import Merchant
from server.domain.notifications import Notification
from server.domain.payment_evidence import Attempt, Evidence
from server.domain.payment_exports import UnknownCharge
from server.domain.payment_operations import Operation
from server.domain.payment_subscriptions import PaymentSubscription
from server.domain.payments import Payment
from server.domain.principals import RevokedAccessToken
from server.domain.replays import Replay, ReplayResult
from server.domain.subscriptions import Delivery, Subscription
from server.domain.tasks import Task
from server.domain.tokens import Token
from server.domain.unmanaged_webhooks import UnmanagedWebhook
from server.domain.unreadable_notifications import UnreadableNotification, UnreadableTally
from server.domain.webhook_configs import WebhookConfig
from server.domain.webhook_keys import WebhookKey
from server.ports import Identity, Request
from server.store import (
    acquirer_tables,
    card_tables,
    consumer_tables,
    digital_card_tables,
    migrate,
    payment_tables,
    schema,
    webhook_tables,
)
from server.store.engine import parse_url, reader_engine, schema_revision
from server.store.schema import REVISION, metadata
from server.store.store import SqlStore
from tests.server.store import samples

KEPT: list[tuple[type[Any], Table, set[str]]] = [
    (Token, schema.tokens, set()),
    (Binding, schema.bindings, set()),
    (Merchant, schema.merchants, set()),
    # The event is found by its notification.
    (Notification, schema.notifications, {"event_sequence"}),
    (Client, schema.clients, set()),
    (ApiKey, schema.api_keys, set()),
    (Account, schema.accounts, set()),
    (RevokedAccessToken, schema.revoked_access_tokens, set()),
    (Identity, schema.identities, set()),
    (Request, schema.requests, set()),
    (Event, schema.events, set()),
    (Subscription, schema.subscriptions, set()),
    (Delivery, schema.deliveries, set()),
    (Replay, schema.replays, set()),
    (ReplayResult, schema.replay_results, set()),
    (Payment, payment_tables.payments, set()),
    (Operation, payment_tables.payment_operations, set()),
    (Attempt, payment_tables.payment_attempts, set()),
    (Evidence, payment_tables.payment_evidence, set()),
    (Task, payment_tables.tasks, set()),
    (UnknownCharge, payment_tables.unknown_charges, set()),
    (IssuerOperation, schema.issuer_operations, set()),
    (DigitalCard, digital_card_tables.digital_cards, set()),
    (Consumer, consumer_tables.consumers, set()),
    (PaymentSubscription, payment_tables.payment_subscriptions, set()),
    (AcquirerTransaction, acquirer_tables.acquirer_transactions, set()),
    (AcquirerReport, acquirer_tables.acquirer_reports, set()),
    (UnreadableNotification, acquirer_tables.unreadable_notifications, set()),
    (UnreadableTally, acquirer_tables.unreadable_tallies, set()),
    (WebhookConfig, webhook_tables.webhook_configs, set()),
    (WebhookKey, webhook_tables.webhook_keys, set()),
    (Card, card_tables.cards, set()),
    (CardKey, card_tables.card_keys, set()),
    (CardHashKey, card_tables.card_hash_keys, set()),
    (CardAccess, card_tables.card_accesses, set()),
    (UnmanagedWebhook, webhook_tables.unmanaged_webhooks, set()),
]


@pytest.mark.parametrize(("of", "table", "elsewhere"), KEPT, ids=lambda each: getattr(each, "__name__", ""))
def test_columns_are_the_fields(of: type[Any], table: Table, elsewhere: set[str]) -> None:
    assert {column.name for column in table.columns} == {field.name for field in fields(of)} - elsewhere


def test_every_table_keeps_something_known() -> None:
    assert set(metadata.tables) == {table.name for _, table, _ in KEPT} | {"store_head", "leases", "retention_warnings"}


def test_migrations_make_what_the_schema_says(database: str) -> None:
    engine = reader_engine(parse_url(database))
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
    finally:
        engine.dispose()


def test_the_newest_migration_is_the_one_that_the_store_asks_for() -> None:
    folder = Path(migrate.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == REVISION


def test_migrating_twice_keeps_everything(database: str) -> None:
    store = SqlStore(database)
    store.write("k", lambda t: t.tokens.insert([samples.token()]))
    store.write("k", lambda t: t.append(samples.event()))
    generation = store.generation
    store.close()
    migrate.upgrade(database)
    again = SqlStore(database)
    try:
        assert again.view.token(samples.token().name) == samples.token()
        assert (again.generation, again.view.bounds()) == (generation, (0, 1))
    finally:
        again.close()


def test_an_empty_database_is_migrated(empty_postgres_database: str, tmp_path: Path) -> None:
    for url in (empty_postgres_database, f"sqlite:///{tmp_path / 'below' / 'new.sqlite'}"):
        migrate.upgrade(url)
        engine = reader_engine(parse_url(url))
        try:
            assert schema_revision(engine) == REVISION
        finally:
            engine.dispose()


def test_a_new_sqlite_file_is_its_owners_only(tmp_path: Path) -> None:
    file = tmp_path / "new.sqlite"
    before = os.umask(0)
    try:
        migrate.upgrade(f"sqlite:///{file}")
        store = SqlStore(f"sqlite:///{file}")
        store.write("k", lambda t: t.append(samples.event()))
    finally:
        os.umask(before)
    modes = {each.name: oct(each.stat().st_mode & 0o777) for each in tmp_path.iterdir()}
    store.close()
    assert set(modes.values()) == {"0o600"}, modes


def test_histories_of_two_databases_have_different_names(tmp_path: Path) -> None:
    generations = set()
    for name in ("a", "b"):
        migrate.upgrade(f"sqlite:///{tmp_path / name}")
        store = SqlStore(f"sqlite:///{tmp_path / name}")
        generations.add(store.generation)
        store.close()
    assert len(generations) == 2
