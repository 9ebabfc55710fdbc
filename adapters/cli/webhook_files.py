"""The file of webhook configs: YAML, read so that everything wrong with it is named with its line."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.cli import stated_files
from adapters.cli.messages import message_of
from adapters.cli.refusals import Refused
from adapters.cli.words import resource_name

if TYPE_CHECKING:
    from mintmark.v1 import webhook_configs_pb2

TOP = ("account", "webhook_configs", "webhookConfigs")
KEY_FILE = ("key_file", "keyFile")
MANDATORY = {"webhook_config_id": "webhookConfigId", "merchant_id": "merchantId"}


@dataclass(slots=True)
class WebhooksFile:
    """The configs that a file states for one account, and where it states what."""

    path: Path
    account: str = ""
    desired: "list[webhook_configs_pb2.DesiredWebhookConfig]" = field(default_factory=list)
    lines: list[dict[str, int]] = field(default_factory=list)

    def located(self, refused: Refused) -> Refused:
        return stated_files.located(refused, self.path, "desired", self.lines)


def read_webhooks(path: Path) -> WebhooksFile:
    """Reads the file: a mapping with `account` and a list `webhook_configs`. Raises Refused that names every wrong
    line and field."""
    root = stated_files.compose(path)
    read = WebhooksFile(path)
    stated_files.refuse(path, list(_read(root, read)))
    return read


def _read(root: Any, read: WebhooksFile) -> Iterator[tuple[int, str]]:
    if root is None or root.id != "mapping":
        yield 0, "must be a mapping with `account` and a list `webhook_configs`"
        return
    given: dict[str, Any] = {}
    for key, value in root.value:
        name, number = str(key.value), key.start_mark.line + 1
        if name not in TOP:
            yield number, f"{name}: there is no such field here; known are account, webhook_configs"
        given[name] = value
    account, listed = given.get("account"), given.get("webhook_configs", given.get("webhookConfigs"))
    if account is None or account.id != "scalar" or not account.value:
        yield 0, "account: is missing: whose webhook configs are these?"
    else:
        read.account = resource_name("partnerAccounts", str(account.value))
    if listed is None or listed.id != "sequence":
        yield 0, "webhook_configs: must be a list; write `webhook_configs: []` to state that there are none"
        return
    first_lines: dict[str, int] = {}
    for node in listed.value:
        yield from _read_config(node, read, first_lines)


def _read_config(node: Any, read: WebhooksFile, first_lines: dict[str, int]) -> Iterator[tuple[int, str]]:
    from mintmark.v1 import webhook_configs_pb2

    begins = node.start_mark.line + 1
    if node.id != "mapping":
        yield begins, "a webhook config must hold fields such as webhook_config_id"
        return
    entry = stated_files.entry_of(node)
    yield from entry.twice
    document = dict(entry.document)
    if "key" in document:
        yield entry.lines["key"], "key: secrets don't belong here; name a file with it in key_file"
        del document["key"]
    for name in KEY_FILE:
        if name in document:
            secret, problem = stated_files.text_of(read.path.parent, document.pop(name))
            if problem:
                yield entry.lines[name], f"{name}: {problem}"
            document["key"] = secret
    desired, wrongs = message_of(webhook_configs_pb2.DesiredWebhookConfig, document)
    for wrong in wrongs:
        yield entry.lines.get(wrong.field.partition(".")[0].partition("[")[0], begins), str(wrong)
    for name, other in MANDATORY.items():
        if not document.get(name) and not document.get(other):
            yield begins, f"{name}: is missing"
    if desired is None:
        return
    own = desired.webhook_config_id
    if own and own in first_lines:
        yield begins, f"webhook_config_id: {own} is stated twice, first on line {first_lines[own]}"
    first_lines.setdefault(own, begins)
    read.desired.append(desired)
    snake = {known.json_name: known.name for known in webhook_configs_pb2.DesiredWebhookConfig.DESCRIPTOR.fields}
    lines = {snake.get(name, name): number for name, number in entry.lines.items()}
    for name in KEY_FILE:
        if name in lines:
            lines["key"] = lines[name]
    read.lines.append(lines)
