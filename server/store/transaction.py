"""One transaction of the writer."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, insert, select, text, update
from sqlalchemy.sql import Executable

from server.domain.accounts import Account
from server.domain.api_keys import ApiKey
from server.domain.bindings import Binding
from server.domain.clients import Client
from server.domain.consumers import Consumer, ConsumerState
from server.domain.digital_cards import DigitalCard
from server.domain.events import Event
from server.domain.issuer_operations import IssuerOperation
from server.domain.merchants import Merchant
from server.domain.notifications import Notification
from server.domain.principals import RevokedAccessToken
from server.domain.replays import Replay, ReplayResult
from server.domain.subscriptions import Standing, Subscription
from server.domain.tokens import Token
from server.ports import CachedKind, Identity, Request
from server.store import consumer_tables, digital_card_tables, rows, schema, subscriptions
from server.store.acquirer import SqlAcquirer
from server.store.cards import SqlCards
from server.store.deliveries import SqlDeliveries
from server.store.engine import CLOCKS
from server.store.ledger import SqlLedger
from server.store.retained import SqlRemoval
from server.store.rows import event_row
from server.store.shelf import TableShelf
from server.store.token_refreshes import SqlTokenRefreshes
from server.store.webhooks import SqlWebhooks

CACHED = {schema.tokens.name: CachedKind.TOKEN, schema.bindings.name: CachedKind.BINDING}


class SqlTransaction:
    """Gathers the units of one group commit: `changes` counts what was written, `appended` waits to be numbered,
    `changed` names the tokens and bindings that caches may hold."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.changes = 0
        self.appended: list[Event] = []
        self.changed: set[tuple[CachedKind, str]] = set()
        self._cache_epoch: int | None = None
        self.tokens: TableShelf[Token] = TableShelf(self, schema.tokens, rows.TOKEN)
        self.bindings: TableShelf[Binding] = TableShelf(self, schema.bindings, rows.BINDING)
        self.merchants: TableShelf[Merchant] = TableShelf(self, schema.merchants, rows.MERCHANT)
        self.issuer_operations: TableShelf[IssuerOperation] = TableShelf(
            self, schema.issuer_operations, rows.ISSUER_OPERATION
        )
        self.digital_cards: TableShelf[DigitalCard] = TableShelf(
            self, digital_card_tables.digital_cards, rows.DIGITAL_CARD
        )
        self.consumers: TableShelf[Consumer] = TableShelf(self, consumer_tables.consumers, rows.CONSUMER)
        self.clients: TableShelf[Client] = TableShelf(self, schema.clients, rows.CLIENT)
        self.api_keys: TableShelf[ApiKey] = TableShelf(self, schema.api_keys, rows.API_KEY)
        self.accounts: TableShelf[Account] = TableShelf(self, schema.accounts, rows.ACCOUNT)
        self.removal = SqlRemoval(self)
        self.subscriptions: TableShelf[Subscription] = TableShelf(self, schema.subscriptions, rows.SUBSCRIPTION)
        self.deliveries = SqlDeliveries(connection, self.change)
        self.notifications: TableShelf[Notification] = TableShelf(self, schema.notifications, rows.NOTIFICATION)
        self.replays: TableShelf[Replay] = TableShelf(self, schema.replays, rows.REPLAY)
        self.ledger = SqlLedger(self)
        self.webhooks = SqlWebhooks(self)
        self.acquirer = SqlAcquirer(self)
        self.token_refreshes = SqlTokenRefreshes(self)
        self.cards = SqlCards(self)

    def change(self, statement: Executable, parameters: list[dict[str, Any]]) -> None:
        self.changes += 1
        self.connection.execute(statement, parameters)

    def touch(self, table: Table, names: Sequence[str]) -> None:
        """Remembers which rows of a table that caches hold are written."""
        kind = CACHED.get(table.name)
        if kind:
            self.changed.update((kind, name) for name in names)

    def consumer_state(self, name: str) -> ConsumerState | None:
        table = consumer_tables.consumers
        found = self.connection.execute(select(table.c.state).where(table.c.name == name)).scalar_one_or_none()
        return None if found is None else ConsumerState(found)

    def identities(self, digests: Sequence[bytes]) -> dict[bytes, Identity]:
        if not digests:
            return {}
        table = schema.identities
        # Bytes do not travel in JSON, so this list is expanded into parameters; a batch has 512 at most.
        found = self.connection.execute(select(table).where(table.c.digest.in_(sorted(set(digests)))))
        return {
            bytes(row.digest): Identity(bytes(row.digest), row.notification, row.known_since, row.applied)
            for row in found
        }

    def know(self, new: Sequence[Identity], renewed: Sequence[Identity]) -> None:
        table = schema.identities
        if new:
            self.change(insert(table), [_identity_row(identity) for identity in new])
        if renewed:
            # Where another core's retention has removed one meanwhile, it is known again.
            statement = text(
                "INSERT INTO identities (digest, notification, known_since, applied) "
                "VALUES (:digest, :notification, :known_since, :applied) ON CONFLICT (digest) DO UPDATE SET "
                "notification = excluded.notification, known_since = excluded.known_since, applied = excluded.applied"
            )
            self.change(statement, [_identity_row(identity) for identity in renewed])

    def keep_notifications(self, notifications: Sequence[Notification]) -> None:
        if notifications:
            self.change(insert(schema.notifications), [rows.NOTIFICATION.row(each) for each in notifications])

    def keep_replay_results(self, results: Sequence[ReplayResult]) -> None:
        if results:
            self.change(insert(schema.replay_results), [rows.REPLAY_RESULT.row(each) for each in results])

    def count_deliveries(self, deliveries: Mapping[str, int], time: int) -> None:
        if not deliveries:
            return
        table = schema.notifications
        statement = (
            update(table)
            .where(table.c.name == bindparam("of_name"))
            .values(delivery_count=table.c.delivery_count + bindparam("more"), last_delivery_time=bindparam("time"))
        )
        counted = [{"of_name": name, "more": more, "time": time} for name, more in sorted(deliveries.items())]
        self.change(statement, counted)

    def keyring_mark(self) -> bytes | None:
        found = self.connection.execute(select(schema.store_head.c.keyring_mark)).scalar_one()
        return None if found is None else bytes(found)

    def leave_keyring_mark(self, mark: bytes) -> None:
        self.change(update(schema.store_head).values(keyring_mark=bindparam("mark")), [{"mark": mark}])

    def revoke_access_token(self, token: RevokedAccessToken) -> bool:
        table = schema.revoked_access_tokens
        known = self.connection.execute(select(table.c.jwt_id).where(table.c.jwt_id == token.jwt_id)).first()
        if known is None:
            self.change(insert(table), [rows.REVOKED.row(token)])
        return known is None

    def request(self, client: str, method: str, request_id: str) -> Request | None:
        table = schema.requests
        row = self.connection.execute(
            select(table).where(table.c.client == client, table.c.method == method, table.c.request_id == request_id)
        ).first()
        if row is None:
            return None
        return Request(client, method, request_id, bytes(row.fingerprint), bytes(row.response), row.time)

    def keep_request(self, request: Request) -> None:
        row = {
            "client": request.client,
            "method": request.method,
            "request_id": request.request_id,
            "fingerprint": request.fingerprint,
            "response": request.response,
            "time": request.time,
        }
        self.change(insert(schema.requests), [row])

    def take_lease(self, name: str, holder: str, seconds: float) -> bool:
        connection = self.connection
        clock = CLOCKS[connection.dialect.name]
        statement = text(
            f"INSERT INTO leases (name, holder, expire_time) VALUES (:name, :holder, {clock} + :micros) "  # noqa: S608  our own words
            "ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expire_time = excluded.expire_time "
            f"WHERE leases.holder = excluded.holder OR leases.expire_time <= {clock}"
        )
        micros = round(seconds * 1_000_000)
        taken = connection.execute(statement, {"name": name, "holder": holder, "micros": micros}).rowcount == 1
        self.changes += taken
        return taken

    def count_subscriptions(self, client: str) -> int:
        table = schema.subscriptions
        counted = select(func.count()).select_from(table).where(table.c.client == client)
        return int(self.connection.execute(counted).scalar_one())

    def standing(self, name: str) -> Standing | None:
        return subscriptions.standing(self.connection, name)

    def append(self, event: Event) -> None:
        self.appended.append(event)

    def number_events(self) -> int:
        """Gives the events their numbers and stores them: the last thing in a transaction. Returns the new head.

        Updating the one row of the head locks it until the commit, so numbers appear in the order of commits and no
        reader can see a number before every smaller one.
        """
        head = schema.store_head
        raised = (update(head).values(sequence=head.c.sequence + len(self.appended)).where(head.c.id == 1)).returning(
            head.c.sequence, head.c.cache_epoch
        )
        last, self._cache_epoch = self.connection.execute(raised).one()
        first = last - len(self.appended) + 1
        numbered = [event_row(event, first + place) for place, event in enumerate(self.appended)]
        self.connection.execute(insert(schema.events), numbered)
        return int(last)

    def cache_epoch(self) -> int:
        """The epoch of the caches as this transaction sees it; where events were numbered nobody can raise it now."""
        if self._cache_epoch is None:
            self._cache_epoch = int(self.connection.execute(select(schema.store_head.c.cache_epoch)).scalar_one())
        return self._cache_epoch


def _identity_row(identity: Identity) -> dict[str, Any]:
    return {
        "digest": identity.digest,
        "notification": identity.notification,
        "known_since": identity.known_since,
        "applied": identity.applied,
    }
