"""The accounts file: YAML, read so that everything wrong with it is named with its line."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.cli import stated_files
from adapters.cli.messages import message_of
from adapters.cli.refusals import Refused
from adapters.cli.words import enum_number

if TYPE_CHECKING:
    from mintmark.v1 import accounts_pb2

# Fields that the core fills: what `accounts list` shows can be taken as a file.
OUTPUT_FIELDS = frozenset(
    {
        "name",
        "create_time",
        "createTime",
        "update_time",
        "updateTime",
        "etag",
        "held",
        "hold_reason",
        "holdReason",
    }
)
# What we authenticate with at a partner is in files of its own, so that this one can live with the code: for the fields
# that hold them, which fields those are. `x_file` names the file of `x`.
SECRETS = {
    "payment_options": ("authorization", "api_key"),
    "sibs": ("client_id", "access_token", "payments_access_token"),
    "client_credentials": ("client_secret",),
    "d1_api": ("signing_key",),
}
# What is public may stand here or in a file beside, such as a PEM.
FILES = {"d1_public_keys": ("public_key",), "public_key": ("public_key",)}
MANDATORY = {"account_id": "accountId", "provider": "provider"}
# What an account is about: an issuer with D1_ISSUER, a merchant gateway with all others.
GATEWAY = {"merchant_gateway_id": "merchantGatewayId"}
ISSUER = {"issuer_id": "issuerId"}


@dataclass(slots=True)
class AccountsFile:
    """The accounts that a file states, and where it states what."""

    path: Path
    accounts: "list[accounts_pb2.Account]" = field(default_factory=list)
    # One per account: the line that it begins on, and those of its fields.
    lines: list[dict[str, int]] = field(default_factory=list)

    def located(self, refused: Refused) -> Refused:
        """The same refusal with lines of the file in place of indexes: `accounts[1].mode` is `line 9: mode`."""
        return stated_files.located(refused, self.path, "accounts", self.lines)


def read_accounts(path: Path) -> AccountsFile:
    """Reads the file: a list of accounts, or a mapping with the list under `accounts`.

    Raises Refused that names every wrong line and field.
    """
    root = stated_files.compose(path)
    read = AccountsFile(path)
    stated_files.refuse(path, list(_read(root, read)))
    return read


def _read(root: Any, read: AccountsFile) -> Iterator[tuple[int, str]]:
    from mintmark.v1 import accounts_pb2

    nodes, problem = _account_nodes(root)
    if problem:
        yield (root.start_mark.line + 1 if root else 0), problem
    first_lines: dict[str, int] = {}
    for node in nodes:
        begins = node.start_mark.line + 1
        if node.id != "mapping":
            yield begins, "an account must hold fields such as account_id"
            continue
        entry = stated_files.entry_of(node, OUTPUT_FIELDS)
        yield from entry.twice
        document, lines = dict(entry.document), entry.lines
        for name, value in document.items():
            document[name], problem = _with_files(name, value, read.path.parent)
            if problem:
                yield lines[name], problem
        account, wrongs = message_of(accounts_pb2.Account, document)
        for wrong in wrongs:
            yield lines.get(wrong.field.partition(".")[0], begins), str(wrong)
        provider = _provider(document)
        about, foreign = GATEWAY, ISSUER
        if provider == accounts_pb2.ACCOUNT_PROVIDER_D1_ISSUER:
            about, foreign = ISSUER, GATEWAY
        for name, other in (MANDATORY | about).items():
            if not document.get(name) and not document.get(other):
                yield begins, f"{name}: is missing"
        for name in [each for pair in foreign.items() for each in pair if provider and document.get(each)]:
            yield lines[name], f"{name}: {'only goes' if foreign is ISSUER else 'does not go'} with D1_ISSUER"
        if account is None:
            continue
        if account.account_id and account.account_id in first_lines:
            yield (
                begins,
                f"account_id: {account.account_id} is stated twice, first on line {first_lines[account.account_id]}",
            )
        first_lines.setdefault(account.account_id, begins)
        read.accounts.append(account)
        snake = {known.json_name: known.name for known in accounts_pb2.Account.DESCRIPTOR.fields}
        read.lines.append({snake.get(name, name): number for name, number in lines.items()})


def _provider(document: dict[str, Any]) -> int:
    """The number of the provider that is stated, 0 where it is none."""
    from mintmark.v1 import accounts_pb2

    try:
        number: int = enum_number(accounts_pb2.AccountProvider.DESCRIPTOR, str(document.get("provider")), "")
    except Refused:
        return 0
    return number


def _with_files(of: str, value: Any, folder: Path) -> tuple[Any, str]:
    """The value with what is in the files that it names; and what is wrong with that."""
    if isinstance(value, list):
        items = [_with_files(of, each, folder) for each in value]
        return [item for item, _ in items], next((problem for _, problem in items if problem), "")
    if not isinstance(value, dict):
        return value, ""
    secrets = {spelling: name for name in SECRETS.get(_snake(of), ()) for spelling in (name, _camel(name))}
    files = secrets | {spelling: name for name in FILES.get(_snake(of), ()) for spelling in (name, _camel(name))}
    read: dict[str, Any] = {}
    for name, each in value.items():
        if name in secrets:
            return value, f"{name}: secrets don't belong here; name a file with it in {secrets[name]}_file"
        filed = files.get(name.removesuffix("_file").removesuffix("File"))
        if filed is not None and name not in files:
            read[filed], problem = stated_files.text_of(folder, each)
            problem = f"{name}: {problem}" if problem else ""
        else:
            read[name], problem = _with_files(name, each, folder)
        if problem:
            return value, problem
    return read, ""


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.title() for each in others)


def _snake(name: str) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name)


def _account_nodes(root: Any) -> tuple[list[Any], str]:
    if root is None:
        return [], "is empty; write `accounts: []` to state that there are none"
    if root.id == "sequence":
        return list(root.value), ""
    if root.id == "mapping":
        others = [str(key.value) for key, _ in root.value if key.value != "accounts"]
        found = [value for key, value in root.value if key.value == "accounts"]
        if len(found) == 1 and not others and found[0].id == "sequence":
            return list(found[0].value), ""
        if others:
            return [], f"{', '.join(others)}: there is no such field here; the accounts are a list under `accounts`"
    return [], "the accounts must be a list, at the top or under `accounts`"
