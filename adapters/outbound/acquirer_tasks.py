"""Tasks for the acquirer: webhook configs that are to be applied or listed, and transactions that are asked for.

None of them moves money and each may be done again, so nothing is kept on disk: what the core cannot be told before the
lease ends is found out anew.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from mintmark.v1 import tasks_pb2 as pb
from mintmark.v1 import webhook_configs_pb2 as configs

from adapters import card_numbers
from adapters.outbound import sibs, sibs_answers, sibs_lists
from adapters.outbound.acquirer import Acquirer, Said
from adapters.outbound.core_tasks import CoreTasks
from adapters.outbound.core_trouble import CORE_TROUBLE, passes, pause, why
from adapters.outbound.leases import Lease, duration
from adapters.outbound.transport import LONGEST_BODY

APPLY = pb.TASK_KIND_APPLY_WEBHOOK_CONFIG
LISTING = pb.TASK_KIND_LIST_WEBHOOK_CONFIGS
INQUIRY = pb.TASK_KIND_QUERY_ACQUIRER_TRANSACTION
ABSENT, PRESENT = configs.WEBHOOK_PRESENCE_ABSENT, configs.WEBHOOK_PRESENCE_PRESENT

Work = Callable[[Lease], Awaitable[None]]

log = structlog.get_logger("mintmark.dispatcher")


class AcquirerTasks:
    """`hurried` says that there is no time left to tell the core again."""

    def __init__(
        self,
        core: CoreTasks,
        acquirer: Acquirer,
        hurried: Callable[[], bool],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._core = core
        self._acquirer = acquirer
        self._hurried = hurried
        self._monotonic = monotonic

    @property
    def work(self) -> Mapping["pb.TaskKind.ValueType", Work]:
        """What is done for each kind of task."""
        return {APPLY: self._apply, LISTING: self._list, INQUIRY: self._inquire}

    async def _apply(self, lease: Lease) -> None:
        application = lease.task.application
        said = await self._applied(application, lease)
        request = pb.RecordWebhookConfigCallRequest(
            task=lease.task.name,
            fence=lease.task.fence,
            webhook_config=application.webhook_config,
            generation=application.generation,
            calls=said.calls,
            retry_after=duration(said.retry_after),
        )
        await self._tell(lease, self._core.record_webhook_config_call, request)

    async def _applied(self, application: pb.WebhookConfigApplication, lease: Lease) -> Said:
        """The calls that make the acquirer agree. Where nobody knows what it has, it is asked first."""
        presence, before = application.presence, []
        if presence not in (ABSENT, PRESENT) or (application.delete and presence == ABSENT):
            listed, found = await self._listed(
                application.endpoint, application.merchant_id, application.acceptor_id, application.terminal_id, lease
            )
            code = application.notification_configuration_code
            presence = ABSENT
            if any(sibs_lists.same_code(each.notification_configuration_code, code) for each in found):
                presence = PRESENT
            if not listed.accepted or (application.delete and presence == ABSENT):
                return listed
            before = listed.calls
        operation = sibs.CREATE if presence == ABSENT else sibs.UPDATE
        if application.delete:
            operation = sibs.DELETE
        said = await self._acquirer.ask(sibs.change(application, operation), application.endpoint, lease)
        return Said([*before, *said.calls], said.answered, said.retry_after)

    async def _list(self, lease: Lease) -> None:
        asked = lease.task.listing
        said, found = await self._listed(asked.endpoint, asked.merchant_id, asked.acceptor_id, asked.terminal_id, lease)
        request = pb.RecordWebhookConfigListRequest(
            task=lease.task.name,
            fence=lease.task.fence,
            call=said.calls[-1],
            webhooks=found,
            retry_after=duration(said.retry_after),
        )
        await self._tell(lease, self._core.record_webhook_config_list, request)

    async def _listed(
        self, endpoint: pb.AcquirerEndpoint, merchant_id: str, acceptor_id: str, terminal_id: str, lease: Lease
    ) -> tuple[Said, list[pb.ListedWebhook]]:
        """What the acquirer has. Where that cannot be read, the outcome of the call is unknown."""
        asked = sibs.listing(endpoint, merchant_id, acceptor_id, terminal_id)
        said = await self._acquirer.ask(asked, endpoint, lease)
        if not said.accepted or said.answered is None:
            return said, []
        try:
            return said, sibs_lists.read(sibs_answers.fields(said.answered) or {}, endpoint.field_names)
        except sibs_lists.ListUnreadable:
            said.calls[-1].outcome, said.calls[-1].trouble = sibs_answers.UNKNOWN, sibs_answers.UNREADABLE
            return said, []

    async def _inquire(self, lease: Lease) -> None:
        query = lease.task.acquirer_query
        said = await self._acquirer.ask(sibs.inquiry(query), query.endpoint, lease)
        body = card_numbers.cut_json(said.answered.body) if said.accepted and said.answered else b""
        if len(body) > LONGEST_BODY:
            said.calls[-1].outcome, said.calls[-1].trouble = sibs_answers.UNKNOWN, sibs_answers.UNREADABLE
            body = b""
        request = pb.RecordAcquirerStatusRequest(
            task=lease.task.name,
            fence=lease.task.fence,
            acquirer_transaction=query.acquirer_transaction,
            call=said.calls[-1],
            body=body,
            retry_after=duration(said.retry_after),
        )
        await self._tell(lease, self._core.record_acquirer_status, request)

    async def _tell(self, lease: Lease, record: Callable[[Any], Awaitable[object]], request: Any) -> None:
        """Tells the core, again while it is away and the task is ours."""
        tries = 0
        while True:
            try:
                await record(request)
            except CORE_TROUBLE as error:
                log.warning("an answer of the acquirer could not be told", task=lease.task.name, **why(error))
                if not passes(error) or self._hurried() or self._monotonic() >= lease.until:
                    return
            else:
                return
            tries += 1
            await asyncio.sleep(pause(tries))
