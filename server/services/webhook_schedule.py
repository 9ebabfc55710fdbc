"""When the acquirer is asked: tasks that apply a config, or list what the acquirer has."""

from dataclasses import replace

from server.domain import names
from server.domain.tasks import Task, TaskKind
from server.domain.webhook_configs import WebhookConfig
from server.ports import Transaction


def schedule(transaction: Transaction, config: WebhookConfig, now: int, correlation_id: str) -> None:
    """Makes the task for the config's present generation; those for earlier ones are gone. A call under an earlier
    lease may be on its way: the new one waits until that lease has ended or its holder has reported."""
    earlier = transaction.webhooks.tasks_for(config.name)
    transaction.ledger.tasks.delete(sorted(task.name for task in earlier))
    free = max((task.lease_expire_time or 0 for task in earlier), default=0)
    task = Task(
        names.apply_task(config.name, config.generation),
        TaskKind.APPLY_WEBHOOK_CONFIG,
        config.account,
        payment="",
        operation="",
        due_time=max(now, free),
        create_time=now,
        correlation_id=correlation_id,
        resource=config.name,
    )
    transaction.ledger.tasks.insert([task])


def ask(transaction: Transaction, account: str, scope: tuple[str, str, str], now: int, correlation_id: str) -> None:
    """Has the acquirer asked what it has, soon."""
    resource = names.webhook_scope(account, scope)
    held = transaction.ledger.tasks.get(names.list_task(resource))
    if held is None:
        task = Task(
            names.list_task(resource),
            TaskKind.LIST_WEBHOOK_CONFIGS,
            account,
            payment="",
            operation="",
            due_time=now,
            create_time=now,
            correlation_id=correlation_id,
            resource=resource,
        )
        transaction.ledger.tasks.insert([task])
    elif not held.leased(now) and held.due_time > now:
        transaction.ledger.tasks.update([replace(held, due_time=now, tries=0)])
