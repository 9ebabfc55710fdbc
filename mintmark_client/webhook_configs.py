"""Webhook configs: what the acquirer is to send where."""

from collections.abc import Sequence

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from mintmark.v1 import webhook_configs_pb2 as pb
from mintmark.v1 import webhook_configs_pb2_grpc

from mintmark_client.pages import listing


class WebhookConfigs:
    """The methods of WebhookConfigsService.

    `list(...)` and `unmanaged(...)` take the fields of their requests as keywords and iterate over all pages.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = webhook_configs_pb2_grpc.WebhookConfigsServiceStub(channel)
        self.list = listing(
            self._stub.ListWebhookConfigs, pb.ListWebhookConfigsRequest, lambda page: page.webhook_configs
        )
        self.unmanaged = listing(
            self._stub.ListUnmanagedWebhooks, pb.ListUnmanagedWebhooksRequest, lambda page: page.unmanaged_webhooks
        )

    def get(self, name: str) -> pb.WebhookConfig:
        """One config with its last calls. Raises NotFound."""
        return self._stub.GetWebhookConfig(pb.GetWebhookConfigRequest(name=name)).webhook_config

    def create(self, desired: pb.DesiredWebhookConfig, *, request_id: str = "") -> pb.WebhookConfig:
        """A new config, PENDING: `wait` tells what the acquirer makes of it. Raises AlreadyExists, InvalidRequest."""
        request = pb.CreateWebhookConfigRequest(request_id=request_id, desired=desired)
        return self._stub.CreateWebhookConfig(request).webhook_config

    def update(
        self,
        name: str,
        desired: pb.DesiredWebhookConfig,
        fields: Sequence[str],
        *,
        etag: str = "",
        request_id: str = "",
    ) -> pb.WebhookConfig:
        """The config with these fields of `desired`. Raises NotFound, PreconditionFailed, InvalidRequest."""
        request = pb.UpdateWebhookConfigRequest(
            request_id=request_id, name=name, desired=desired, update_mask=FieldMask(paths=fields), etag=etag
        )
        return self._stub.UpdateWebhookConfig(request).webhook_config

    def delete(self, name: str, *, etag: str = "", request_id: str = "") -> pb.WebhookConfig:
        """Has the acquirer forget the config. Raises NotFound, PreconditionFailed where the account forbids it."""
        request = pb.DeleteWebhookConfigRequest(request_id=request_id, name=name, etag=etag)
        return self._stub.DeleteWebhookConfig(request).webhook_config

    def plan(
        self, account: str, desired: Sequence[pb.DesiredWebhookConfig], *, delete_missing: bool = False
    ) -> Sequence[pb.WebhookConfigChange]:
        """What `apply` would change. Raises InvalidRequest, whose violations name every entry that is wrong."""
        request = pb.PlanWebhookConfigsRequest(account=account, desired=desired, delete_missing=delete_missing)
        return self._stub.PlanWebhookConfigs(request).changes

    def apply(
        self,
        account: str,
        desired: Sequence[pb.DesiredWebhookConfig],
        *,
        delete_missing: bool = False,
        request_id: str = "",
    ) -> Sequence[pb.WebhookConfigChange]:
        """Makes the account's configs what is desired, all or none. Raises InvalidRequest, PreconditionFailed."""
        request = pb.ApplyWebhookConfigsRequest(
            request_id=request_id, account=account, desired=desired, delete_missing=delete_missing
        )
        return self._stub.ApplyWebhookConfigs(request).changes

    def refresh(self, *, account: str = "", names: Sequence[str] = (), request_id: str = "") -> Sequence[str]:
        """Has the acquirer asked what it has, for an account's configs or those named; their names. `wait` waits for
        each one's answer. Raises NotFound."""
        request = pb.RefreshWebhookConfigsRequest(request_id=request_id, account=account, names=names)
        return self._stub.RefreshWebhookConfigs(request).names

    def rotate_key(self, name: str, *, key: str = "", etag: str = "", request_id: str = "") -> pb.WebhookConfig:
        """The config with a new key: a given one (32 bytes in Base64), or one that Mintmark makes. Raises NotFound,
        PreconditionFailed, AlreadyExists where another config has the key."""
        request = pb.RotateWebhookKeyRequest(request_id=request_id, name=name, key=key, etag=etag)
        return self._stub.RotateWebhookKey(request).webhook_config

    def wait(self, name: str, *, seconds: float = 10.0) -> tuple[pb.WebhookConfig, bool]:
        """The config as it is when it has settled or the time is up (50 s at most), and whether it has. Raises
        NotFound."""
        request = pb.WaitWebhookConfigRequest(name=name)
        request.timeout.FromMilliseconds(round(seconds * 1000))
        answer = self._stub.WaitWebhookConfig(request)
        return answer.webhook_config, answer.settled
