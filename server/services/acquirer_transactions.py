"""Transactions at the acquirer: what notifications and status answers make of them, and for whom they are shown."""

from dataclasses import dataclass, replace

from server.domain import acquirer_tellings, acquirer_transactions, names, partner_json, tasks
from server.domain.accounts import Account
from server.domain.acquirer_notifications import Message
from server.domain.acquirer_tellings import Telling
from server.domain.acquirer_transactions import AcquirerTransaction, Report, ReportEffect, ReportKind
from server.domain.callers import Caller
from server.domain.events import Event, EventKind
from server.domain.ordering import order_time
from server.domain.queries import AcquirerTransactionQuery, Page
from server.domain.refusals import ResourceNotFound, StatusQueryNotPossible
from server.domain.tasks import IDLE_QUERIES, Task, TaskKind, query_delay
from server.domain.webhook_configs import AcquirerCall, CallOutcome
from server.ports import Store, Transaction
from server.services.acquirer_desk import SENDER, AcquirerDesk, Intake, can_ask

LONGEST_RETRY_AFTER = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """Where something came to be known from."""

    account: Account | None
    actor: str
    correlation_id: str
    now: int
    notification: str = ""


def hear(
    desk: AcquirerDesk, transaction: Transaction, intake: Intake, message: Message, notification: str, *, reused: bool
) -> ReportEffect:
    """What a notification makes of its transaction. `reused`: its id came before with other content."""
    telling, now = message.telling, intake.now
    name = names.acquirer_transaction(intake.account_id, telling.transaction_id)
    held = transaction.acquirer.transactions.get(name)
    before = held or AcquirerTransaction(
        name=name,
        account=intake.config.account,
        transaction_id=telling.transaction_id,
        merchant_gateway_id=intake.config.merchant_gateway_id,
        merchant_id=intake.config.merchant_id,
        create_time=now,
        update_time=now,
        report_time=now,
        revision=0,
    )
    effect_digest: bytes | None = desk.digest("effect", name, *telling.effect)
    if reused or (held is None and _forgotten(desk, telling, now)):
        after, effect, effect_digest = acquirer_transactions.contest(before, now), ReportEffect.CONTESTED, None
    elif held is not None and effect_digest and transaction.acquirer.has_effect(name, effect_digest):
        after, effect = before, ReportEffect.KNOWN
    else:
        after, effect = acquirer_transactions.heard(before, telling, now)
    report = replace(
        _report(before, ReportKind.NOTIFICATION, effect, telling, now),
        notification=notification,
        notification_id=message.kept_id,
        webhook_config=intake.config.name,
        effect_digest=effect_digest,
    )
    source = Source(intake.account, SENDER, intake.correlation_id, now, notification)
    _save(transaction, held, after, report, source)
    return effect


def _forgotten(desk: AcquirerDesk, telling: Telling, now: int) -> bool:
    """Whether an unknown transaction is so old that it may have been known, and removed since."""
    told = order_time(telling.time_text, now).micros
    return told is not None and told < now - desk.identities_kept


def _report(before: AcquirerTransaction, kind: ReportKind, effect: ReportEffect, telling: Telling, now: int) -> Report:
    number = before.report_count + 1
    return Report(
        name=names.acquirer_report(before.name, number),
        acquirer_transaction=before.name,
        number=number,
        kind=kind,
        effect=effect,
        time=now,
        state_text=telling.state_text,
        type_text=telling.type_text,
        amount_text=telling.amount_text,
        currency_text=telling.currency_text,
        time_text=telling.time_text,
        status_code=telling.status_code,
    )


def _save(
    transaction: Transaction,
    held: AcquirerTransaction | None,
    after: AcquirerTransaction,
    report: Report | None,
    source: Source,
) -> AcquirerTransaction:
    """Writes the transaction with its report, its task and its events."""
    if not after.payment and after.merchant_reference:
        payment = transaction.acquirer.payment_with_reference(after.merchant_gateway_id, after.merchant_reference)
        after = replace(after, payment=payment)
    contested = after.contested and not (held is not None and held.contested)
    again = report is not None and report.effect is ReportEffect.CONTESTED
    # At once where it is contested; else the acquirer may tell by itself soon.
    due = source.now if contested or again else source.now + query_delay(0)
    after = _ask(transaction, after, due, source)
    after = replace(
        after,
        report_count=after.report_count + (report is not None),
        update_time=source.now,
        revision=after.revision + 1,
    )
    shelf = transaction.acquirer.transactions
    (shelf.insert if held is None else shelf.update)([after])
    transaction.acquirer.add_reports([report] if report else [])
    if held is None or _told(held) != _told(after):
        state_before = held.state.value if held else ""
        transaction.append(_event(EventKind.ACQUIRER_TRANSACTION_UPDATED, after, source, state_before=state_before))
    if contested or again:
        notification_id = report.notification_id if report else ""
        transaction.append(
            _event(EventKind.ACQUIRER_TRANSACTION_CONTESTED, after, source, notification_id=notification_id)
        )
    return after


def _ask(transaction: Transaction, after: AcquirerTransaction, due: int, source: Source) -> AcquirerTransaction:
    """Has the status asked for where only it can tell, and no longer where it was told."""
    shelf, name = transaction.ledger.tasks, names.acquirer_query_task(after.name)
    task = shelf.get(name)
    wanted = acquirer_transactions.to_be_asked(after, source.now) and can_ask(source.account)
    if wanted and task is None:
        shelf.insert([_task(after, due, source)])
    elif wanted and task is not None and due < task.due_time and not task.leased(source.now):
        shelf.update([replace(task, due_time=due, tries=0)])
    elif not wanted and task is not None and not task.leased(source.now) and not after.unsettled:
        shelf.delete([name])
        task = None
    return replace(after, query_pending=wanted or task is not None)


def _task(after: AcquirerTransaction, due: int, source: Source) -> Task:
    return Task(
        name=names.acquirer_query_task(after.name),
        kind=TaskKind.QUERY_ACQUIRER_TRANSACTION,
        account=after.account,
        payment="",
        operation="",
        due_time=due,
        create_time=source.now,
        correlation_id=source.correlation_id,
        partner_transaction_id=after.transaction_id,
        resource=after.name,
    )


def _told(transaction: AcquirerTransaction) -> tuple[object, ...]:
    """What an event tells of."""
    return (
        transaction.shown,
        transaction.contested,
        transaction.confirmed,
        transaction.payment,
        transaction.merchant_reference,
        transaction.terminal_id,
    )


def _event(kind: EventKind, after: AcquirerTransaction, source: Source, **details: str) -> Event:
    shown = after.shown
    kind_of = shown.type if shown and shown.type else None
    told = {"state": after.state.value, "type": kind_of.value if kind_of else "", "booking": after.booking.value}
    return Event(
        kind=kind,
        resource=after.name,
        time=source.now,
        merchant_gateway_id=after.merchant_gateway_id,
        merchant_id=after.merchant_id,
        correlation_id=source.correlation_id,
        notification=source.notification,
        actor=source.actor,
        details={**told, **details},
        snapshot=after,
    )


def get(store: Store, caller: Caller, name: str) -> AcquirerTransaction:
    """Raises ResourceNotFound."""
    return _visible(caller, store.view.acquirer.transaction(name), name)


def list_page(store: Store, query: AcquirerTransactionQuery, page: Page) -> list[AcquirerTransaction]:
    return store.view.acquirer.transactions(query, page)


def list_reports(desk: AcquirerDesk, caller: Caller, name: str, page: Page) -> list[tuple[Report, bytes]]:
    """The reports with what was received, as far as that is still kept. Raises ResourceNotFound."""
    view, house = desk.house.store.view, desk.house
    get(house.store, caller, name)
    found = view.acquirer.reports(name, page)
    named = view.notifications_named([each.notification for each in found if each.notification])
    bodies: list[bytes] = []
    for each in found:
        kept = named.get(each.notification)
        if kept is not None:
            bodies.append(house.sealer.open(kept.sealed_body, kept.name.encode()))
        else:
            bodies.append(house.open(each.sealed_body, each.name, "body"))
    return list(zip(found, bodies, strict=True))


def refresh(desk: AcquirerDesk, transaction: Transaction, caller: Caller, name: str) -> AcquirerTransaction:
    """Has the status asked for now. Raises ResourceNotFound, StatusQueryNotPossible."""
    held = _visible(caller, transaction.acquirer.transactions.get(name), name)
    account = transaction.accounts.get(held.account)
    if not can_ask(account):
        raise StatusQueryNotPossible(held.account)
    now = desk.now(transaction)
    shelf = transaction.ledger.tasks
    task = shelf.get(names.acquirer_query_task(name))
    if task is None:
        shelf.insert([_task(held, now, Source(account, caller.client, caller.correlation_id, now))])
    elif not task.leased(now):
        shelf.update([replace(task, due_time=min(task.due_time, now), tries=0)])
    if held.query_pending:
        return held
    after = replace(held, query_pending=True, update_time=now, revision=held.revision + 1)
    transaction.acquirer.transactions.update([after])
    return after


def record_status(
    desk: AcquirerDesk,
    transaction: Transaction,
    caller: Caller,
    name: str,
    fence: int,
    call: AcquirerCall,
    body: bytes,
    retry_after: int,
) -> None:
    """Keeps the answer to a status query, and asks again where it settles nothing. `retry_after` is in microseconds.

    Counts only under the newest lease, so that no older answer comes after a newer one; repeating it changes nothing.
    Raises ResourceNotFound.
    """
    held = transaction.acquirer.transactions.get(name)
    if held is None:
        raise ResourceNotFound(name)
    task = transaction.ledger.tasks.get(names.acquirer_query_task(name))
    if task is None or task.fence != fence:
        return
    now = desk.now(transaction)
    account = transaction.accounts.get(held.account)
    telling, kept, problem = _answer(held, call, body)
    call = replace(call, time=now, trouble=call.trouble or problem)
    after, report = replace(held, last_query=call), None
    if telling is not None and not problem:
        after, effect = acquirer_transactions.answered(after, telling, now)
        # An answer that says what is known is not kept again and again while it is waited for.
        digest = desk.digest("status answer", name, kept)
        if effect is ReportEffect.APPLIED or not transaction.acquirer.is_known(name, digest):
            report = _report(held, ReportKind.STATUS_ANSWER, effect, telling, now)
            sealed = desk.house.seal(kept, report.name, "body")
            report = replace(report, digest=digest, sealed_body=sealed)
    definite = telling is not None and not problem
    goes_on = acquirer_transactions.to_be_asked(after, now) or (not definite and task.tries + 1 < IDLE_QUERIES)
    shelf = transaction.ledger.tasks
    if goes_on and can_ask(account):
        shelf.update([tasks.asked_again(task, min(retry_after, LONGEST_RETRY_AFTER), now)])
    else:
        shelf.delete([task.name])
    _save_answered(transaction, held, after, report, Source(account, caller.client, caller.correlation_id, now))


def _save_answered(
    transaction: Transaction,
    held: AcquirerTransaction,
    after: AcquirerTransaction,
    report: Report | None,
    source: Source,
) -> None:
    pending = transaction.ledger.tasks.get(names.acquirer_query_task(held.name)) is not None
    payment = after.payment
    if not payment and after.merchant_reference:
        payment = transaction.acquirer.payment_with_reference(after.merchant_gateway_id, after.merchant_reference)
    after = replace(
        after,
        payment=payment,
        query_pending=pending,
        report_count=after.report_count + (report is not None),
        update_time=source.now,
        revision=after.revision + 1,
    )
    transaction.acquirer.transactions.update([after])
    transaction.acquirer.add_reports([report] if report else [])
    if _told(held) != _told(after):
        transaction.append(_event(EventKind.ACQUIRER_TRANSACTION_UPDATED, after, source, state_before=held.state.value))


def _answer(held: AcquirerTransaction, call: AcquirerCall, body: bytes) -> tuple[Telling | None, bytes, str]:
    """What an answer says, what of it is kept, and why it does not count."""
    if call.outcome is not CallOutcome.ACCEPTED:
        return None, b"", ""
    try:
        document = partner_json.read(body)
    except partner_json.Unreadable:
        return None, b"", "unreadable"
    telling = acquirer_tellings.read(document.fields)
    problem = acquirer_transactions.answer_problem(held, telling)
    return telling, partner_json.encode(document.fields), problem


def _visible(caller: Caller, found: AcquirerTransaction | None, name: str) -> AcquirerTransaction:
    if found is None or not caller.reach.sees(found.merchant_gateway_id, found.merchant_id):
        raise ResourceNotFound(name)
    return found
