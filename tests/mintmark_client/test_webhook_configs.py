"""client.webhook_configs, against a real core."""

from collections.abc import Iterator

import pytest
from mintmark.v1 import webhook_configs_pb2 as pb

from mintmark_client import AlreadyExists, Client, InvalidRequest, NotFound, PreconditionFailed
from tests.server.rpc.configuring import Acquirer, open_acquirer, word
from tests.server.rpc.running import RunningCore, request_id, running_core


@pytest.fixture(scope="module")
def core() -> Iterator[RunningCore]:
    with running_core() as running:
        yield running


def test_configs_are_wanted_applied_and_read(core: RunningCore) -> None:
    acquirer: Acquirer = open_acquirer(core)
    created = core.create(["webhook_configs.read", "webhook_configs.write"], [acquirer.gateway])
    client_id, secret = created.client.client_id, created.client_secret
    with Client(core.settings.grpc_address, client_id=client_id, client_secret=secret) as client:
        configs = client.webhook_configs
        own = request_id()
        made = configs.create(acquirer.desired("client-1"), request_id=own)
        assert configs.create(acquirer.desired("client-1"), request_id=own) == made
        assert configs.wait(made.name, seconds=0)[1] is False
        acquirer.agree()
        waited, settled = configs.wait(made.name)
        assert (word(waited), settled) == ("APPLIED", True)
        changed = configs.update(
            made.name, pb.DesiredWebhookConfig(payment_method_codes=["XPAY"]), ["payment_method_codes"]
        )
        assert changed.generation == 2
        assert len(configs.rotate_key(made.name).keys) == 2
        desired = [acquirer.desired("client-1"), acquirer.desired("client-2")]
        planned = configs.plan(acquirer.account, desired)
        assert [each.action for each in planned] == [pb.WEBHOOK_CONFIG_ACTION_UPDATE, pb.WEBHOOK_CONFIG_ACTION_CREATE]
        assert list(configs.apply(acquirer.account, desired)) == list(planned)
        acquirer.agree()
        names = [each.name for each in configs.list(account=acquirer.account, page_size=1)]
        assert names == [made.name, "webhookConfigs/client-2"]
        assert list(configs.refresh(account=acquirer.account)) == names
        acquirer.show()
        assert configs.get(made.name).observed.present
        assert list(configs.unmanaged(account=acquirer.account)) == []
        with pytest.raises(NotFound):
            configs.get("webhookConfigs/nothing")
        with pytest.raises(AlreadyExists):
            configs.create(acquirer.desired("client-1"))
        with pytest.raises(InvalidRequest):
            configs.plan(acquirer.account, [acquirer.desired("")])
        with pytest.raises(PreconditionFailed):
            configs.delete(made.name)
