"""How Alembic runs our migrations: on the connection that `migrate.upgrade` hands over, in its transaction."""

from alembic import context

from server.store.payment_tables import payments

context.configure(connection=context.config.attributes["connection"], target_metadata=payments.metadata)
with context.begin_transaction():
    context.run_migrations()
