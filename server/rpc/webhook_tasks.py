"""What of TasksService is about webhook configs."""

from collections.abc import Collection

from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import tasks_pb2 as pb
from mintmark.v1 import webhook_configs_pb2

from server.domain.callers import Caller
from server.domain.tasks import Task, TaskKind
from server.domain.webhook_configs import AcquirerOperation, Channel, Presence
from server.ports import Transaction
from server.rpc import acquirer_calls
from server.rpc.acquirer_calls import storable
from server.rpc.calls import Call
from server.services import webhook_tasks
from server.services.acquirer_endpoints import AcquirerEndpoint
from server.services.webhook_house import WebhookHouse
from server.services.webhook_tasks import Application, ListedWebhook, Listing

LONGEST_WAIT_MICROS = 24 * 3600 * 1_000_000
PRESENCES = {
    Presence.UNKNOWN: webhook_configs_pb2.WEBHOOK_PRESENCE_UNSPECIFIED,
    Presence.ABSENT: webhook_configs_pb2.WEBHOOK_PRESENCE_ABSENT,
    Presence.PRESENT: webhook_configs_pb2.WEBHOOK_PRESENCE_PRESENT,
}
CHANNELS = {
    Channel.URL: webhook_configs_pb2.NOTIFICATION_CHANNEL_URL,
    Channel.EMAIL: webhook_configs_pb2.NOTIFICATION_CHANNEL_EMAIL,
}


def endpoint_to_proto(endpoint: AcquirerEndpoint) -> pb.AcquirerEndpoint:
    source, fields = endpoint.token_source, endpoint.field_names
    return pb.AcquirerEndpoint(
        account=endpoint.account,
        base_url=endpoint.base_url,
        path_prefix=endpoint.path_prefix,
        version_id=endpoint.version_id,
        acquirer_id=endpoint.acquirer_id,
        client_id=endpoint.client_id,
        token_source=pb.AcquirerTokenSource(
            access_token=source.access_token,
            token_url=source.token_url,
            client_id=source.client_id,
            client_secret=source.client_secret,
            scope=source.scope,
            revision=source.revision,
        ),
        user_id=endpoint.user_id,
        user_organization_id=endpoint.user_organization_id,
        field_names=pb.AcquirerFieldNames(value=fields.value, key=fields.key, algorithm=fields.algorithm),
    )


def application_to_proto(application: Application) -> pb.WebhookConfigApplication:
    config = application.config
    wanted = config.wanted
    return pb.WebhookConfigApplication(
        endpoint=endpoint_to_proto(application.endpoint),
        webhook_config=config.name,
        generation=config.generation,
        delete=application.delete,
        presence=PRESENCES[application.presence],
        notification_configuration_code=config.notification_configuration_code,
        merchant_id=config.merchant_id,
        acceptor_id=config.acceptor_id,
        terminal_id=config.terminal_id,
        channel=CHANNELS[wanted.channel],
        value=wanted.value,
        payment_method_codes=wanted.payment_method_codes,
        key=application.key,
        support_email=wanted.support_email,
        algorithm=wanted.algorithm,
    )


def listing_to_proto(listing: Listing) -> pb.WebhookConfigListing:
    merchant_id, acceptor_id, terminal_id = listing.scope
    return pb.WebhookConfigListing(
        endpoint=endpoint_to_proto(listing.endpoint),
        merchant_id=merchant_id,
        acceptor_id=acceptor_id,
        terminal_id=terminal_id,
    )


def work_to_proto(task: Task, work: Application | Listing, lease_micros: int) -> pb.Task:
    lease = Duration()
    lease.FromMicroseconds(lease_micros)
    shown = pb.Task(
        name=task.name,
        kind=pb.TaskKind.Value(f"TASK_KIND_{task.kind}"),
        fence=task.fence,
        lease=lease,
        correlation_id=task.correlation_id,
        account=task.account,
    )
    match work:
        case Application():
            shown.application.CopyFrom(application_to_proto(work))
        case Listing():
            shown.listing.CopyFrom(listing_to_proto(work))
    return shown


def listed_of(given: pb.ListedWebhook) -> ListedWebhook:
    """As the domain reads it: what may be kept is storable; the key is only compared."""
    return ListedWebhook(
        code=storable(given.notification_configuration_code),
        channel_text=storable(given.channel_text),
        value=storable(given.value),
        key_digest=given.key_digest,
        support_email=storable(given.support_email),
        algorithm=storable(given.algorithm),
        payment_method_codes=tuple(storable(code) for code in given.payment_method_codes),
    )


class WebhookTasks:
    """The methods of TasksService that record what was learned of webhook configs."""

    def __init__(self, house: WebhookHouse) -> None:
        self.house = house

    def claim(
        self,
        transaction: Transaction,
        caller: Caller,
        kinds: Collection[TaskKind],
        limit: int,
        paused: Collection[str],
    ) -> list[pb.Task]:
        work = webhook_tasks.claim(self.house, transaction, caller, kinds, limit, paused)
        return [work_to_proto(task, each, self.house.limits.lease) for task, each in work]

    def record_call(self, request: pb.RecordWebhookConfigCallRequest, call: Call) -> pb.RecordWebhookConfigCallResponse:
        house = self.house
        calls = [acquirer_calls.call_of(each, AcquirerOperation.UPDATE) for each in request.calls]
        retry_after = max(0, min(request.retry_after.ToMicroseconds(), LONGEST_WAIT_MICROS))
        state = house.store.write(
            request.webhook_config,
            lambda transaction: webhook_tasks.record_call(
                house,
                transaction,
                call.caller,
                request.task,
                request.fence,
                request.webhook_config,
                request.generation,
                calls,
                retry_after,
            ),
            deadline=call.deadline,
        )
        word = f"WEBHOOK_CONFIG_STATE_{state}"
        return pb.RecordWebhookConfigCallResponse(state=webhook_configs_pb2.WebhookConfigState.Value(word))

    def record_list(self, request: pb.RecordWebhookConfigListRequest, call: Call) -> pb.RecordWebhookConfigListResponse:
        house = self.house
        made = acquirer_calls.call_of(request.call, AcquirerOperation.LIST)
        listed = [listed_of(each) for each in request.webhooks]
        retry_after = max(0, min(request.retry_after.ToMicroseconds(), LONGEST_WAIT_MICROS))
        drifted = house.store.write(
            request.task,
            lambda transaction: webhook_tasks.record_list(
                house, transaction, call.caller, request.task, request.fence, made, listed, retry_after
            ),
            deadline=call.deadline,
        )
        return pb.RecordWebhookConfigListResponse(drifted_count=drifted)
