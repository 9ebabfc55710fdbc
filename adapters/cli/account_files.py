"""The accounts file: YAML, read so that everything wrong with it is named with its line."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.cli.messages import message_of
from adapters.cli.refusals import Refused, Violation, usage

if TYPE_CHECKING:
    from mintmark.v1 import accounts_pb2

# Fields that the core fills: what `accounts list` shows can be taken as a file.
OUTPUT_FIELDS = {
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
# What we authenticate with at a partner is in files of its own, so that this one can live with the code.
SECRETS = {
    "authorization_file": "authorization",
    "authorizationFile": "authorization",
    "api_key_file": "api_key",
    "apiKeyFile": "api_key",
}
PAYMENT_OPTIONS = ("payment_options", "paymentOptions")
MANDATORY = {"account_id": "accountId", "provider": "provider", "merchant_gateway_id": "merchantGatewayId"}


@dataclass(slots=True)
class AccountsFile:
    """The accounts that a file states, and where it states what."""

    path: Path
    accounts: "list[accounts_pb2.Account]" = field(default_factory=list)
    # One per account: the line that it begins on, and those of its fields.
    lines: list[dict[str, int]] = field(default_factory=list)

    def located(self, refused: Refused) -> Refused:
        """The same refusal with lines of the file in place of indexes: `accounts[1].mode` is `line 9: mode`."""
        refused.violations = tuple(self._located(violation) for violation in refused.violations)
        return refused

    def _located(self, violation: Violation) -> Violation:
        index, bracket, rest = violation.field.removeprefix("accounts[").partition("]")
        if not bracket or not index.isdigit() or int(index) >= len(self.lines):
            return violation
        lines = self.lines[int(index)]
        path = rest.removeprefix(".")
        number = lines.get(path.partition("[")[0], lines[""])
        return Violation(f"{self.path} line {number}: {path}".removesuffix(": "), violation.description)


def read_accounts(path: Path) -> AccountsFile:
    """Reads the file: a list of accounts, or a mapping with the list under `accounts`.

    Raises Refused that names every wrong line and field.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise usage(f"cannot read {path}: {error}") from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise Refused(f"nothing was changed: {path} is not YAML: {_where(error)}") from None
    read = AccountsFile(path)
    wrong = [
        Violation(f"{path} line {number}", description) if number else Violation(str(path), description)
        for number, description in _read(root, read)
    ]
    if wrong:
        raise Refused("nothing was changed: the file is not as it must be", violations=tuple(wrong))
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
        lines = {"": begins}
        document: dict[str, Any] = {}
        for key, value in node.value:
            name, number = str(key.value), key.start_mark.line + 1
            if name in OUTPUT_FIELDS:
                continue
            if name in lines:
                yield number, f"{name}: is given twice, first on line {lines[name]}"
            lines[name] = number
            document[name] = _plain(value)
            if name in PAYMENT_OPTIONS and isinstance(document[name], dict):
                document[name], problem = _with_secrets(document[name], read.path.parent)
                if problem:
                    yield number, problem
        account, wrongs = message_of(accounts_pb2.Account, document)
        for wrong in wrongs:
            yield lines.get(wrong.field.partition(".")[0], begins), str(wrong)
        for name, other in MANDATORY.items():
            if not document.get(name) and not document.get(other):
                yield begins, f"{name}: is missing"
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


def _with_secrets(options: dict[str, Any], folder: Path) -> tuple[dict[str, Any], str]:
    """How payments are sent, with the secrets from the files that it names; and what is wrong with that."""
    read: dict[str, Any] = {}
    for name, value in options.items():
        if name in SECRETS.values() or name == "apiKey":
            return options, f"{name}: secrets don't belong here; name a file with it in {SECRETS_HINT[name]}"
        if name not in SECRETS:
            read[name] = value
            continue
        try:
            secret = (folder / str(value)).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError) as error:
            return options, f"{name}: cannot be read ({type(error).__name__})"
        if not secret:
            return options, f"{name}: the file is empty"
        read[SECRETS[name]] = secret
    return read, ""


SECRETS_HINT = {"authorization": "authorization_file", "api_key": "api_key_file", "apiKey": "api_key_file"}


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


def _plain(node: Any) -> Any:
    """A node as text, list or dict. Scalars stay the text that was written: ids of digits need no quotes."""
    if node.id == "mapping":
        return {str(key.value): _plain(value) for key, value in node.value}
    if node.id == "sequence":
        return [_plain(value) for value in node.value]
    return None if node.tag == "tag:yaml.org,2002:null" else node.value


def _where(error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}: {problem}" if mark else problem
