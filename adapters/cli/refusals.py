"""How the command says no: one text on stderr that says what to do, and an exit code."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import grpc

REFUSED = 1
USAGE = 2

# What to do about each reason of mintmark.v1.ErrorReason.
ADVICE = {
    "FIELD_INVALID": "correct the fields named and repeat the command",
    "PAGE_TOKEN_INVALID": "repeat the command: it starts again from the first page",
    "CURSOR_INVALID": "start from 0, the oldest event that is kept",
    "CURSOR_OUT_OF_RANGE": "start from 0 or from the oldest cursor named; what lies before is no longer kept, or only "
    "in the export (MINTMARK_RETENTION_EXPORT_DIR of the core)",
    "ACCESS_TOKEN_INVALID": "check the credentials file (MINTMARK_CREDENTIALS_FILE) and the clocks, then repeat",
    "CLIENT_CREDENTIALS_INVALID": "check the credentials file (MINTMARK_CREDENTIALS_FILE): it is of another or a "
    "disabled client, or of another database",
    "SCOPE_MISSING": "use credentials whose client has the scope named",
    "SCOPE_INVALID": "choose among the scopes that this version knows; the README lists them",
    "RESOURCE_NOT_FOUND": "list what there is, and check whether these credentials may see it",
    "RESOURCE_EXISTS": "choose another id, or use what exists",
    "ETAG_MISMATCH": "somebody else changed it meanwhile: read it again and repeat",
    "REQUEST_ID_REUSED": "repeat the command: it makes a new request id",
    "REQUEST_IN_PROGRESS": "wait a moment and repeat",
    "SECRET_TOO_WEAK": "take a secret of 16 characters or more, or say --weak if it cannot be changed",
    "SECRETS_FULL": "wait until the oldest secret has ended, or end the old ones at once with --old-secret-lifetime 0",
    "CLIENT_PROTECTED": "leave this client as it is: Mintmark itself or the last administrator needs it",
    "TOO_MANY_CALLS": "the core is busy: repeat after a moment",
    "STORE_UNAVAILABLE": "see whether the database is up and its disk has room, then repeat; the core's log says more",
    "SHUTTING_DOWN": "the core is stopping: repeat when it is back",
    "INTERNAL": "this is a fault of Mintmark: look in the core's log under the correlation id",
    "DEADLINE_PASSED": "nothing was changed: repeat the command",
    "SECRET_IN_USE": "take another secret: each client and API key needs its own",
    "EVENTS_MISSING": "acknowledge the event named first, or with the others",
    "EVENT_NOT_DELIVERED": "pull it first: the subscription may have been moved back since",
    "SUBSCRIPTIONS_FULL": "delete a subscription that nobody pulls any more",
    "NOT_REPLAYABLE": "look at the notification and its resource; errors.proto explains each cause",
    "TOKEN_UNUSABLE": "pay with another token; `mintmark tokens show` says what is the matter with this one",
    "MERCHANT_PAYMENT_ID_USED": "look at the payment named: is it the one that you wanted? Else take another id",
    "AMOUNT_UNSENDABLE": "state amount_unit for the currency in the accounts file, as the partner said, and apply it",
    "CEILING_EXCEEDED": "raise or state the ceiling in the accounts file, if that is right",
    "RETURN_URL_NOT_ALLOWED": "take a return URL within the account's return_url_prefixes, or state another prefix",
    "ACCOUNT_UNUSABLE": "state an account of provider PAYMENT_OPTIONS for the token's merchant gateway and merchant",
    "OPERATION_IN_DOUBT": "wait until the operation named has settled, or settle it: `mintmark payments show`",
    "AMOUNT_EXCEEDED": "ask for what is left at most",
    "PAYMENT_STATE_UNFIT": "look at the payment: `mintmark payments show`",
    "ALREADY_SENT": "wait until it has settled, then refund it or void it",
    "TOO_EARLY": "wait for so long, look again at the partner's, and repeat",
    "ATTEMPT_REFUSED": "send nothing",
    "ACCOUNT_IN_USE": "settle its payments first: `mintmark payments in-doubt`; or delete its webhook configs",
    "WEBHOOK_CONFIG_STATE_UNFIT": "create another: what is deleted or being deleted does not come back",
    "WEBHOOK_DELETE_NOT_POSSIBLE": "state delete_by_update in the accounts file, if the acquirer takes that; or delete "
    "it in the Backoffice, then `mintmark webhooks refresh` and `delete`",
    "REFRESH_NOT_POSSIBLE": "state d1_api in the accounts file and apply it; only D1's tokens are read again",
    "STATUS_QUERY_NOT_POSSIBLE": "state payments_base_url in the accounts file and apply it",
    "WEBHOOK_KEYS_FULL": "wait until a key expires: `mintmark webhooks show` says when",
    "ISSUER_CALL_NOT_ALLOWED": "state what D1 may ask in the issuer's account (d1_issuer), and apply it",
    "CARD_KEY_UNKNOWN": "encrypt the card data for a key of `mintmark cards keys`, or repeat the command",
    "CONSUMER_HAS_CARDS": "delete the consumer's cards first: `mintmark cards list --consumer` names them",
    "CONSUMER_STATE_UNFIT": "look at the consumer: `mintmark consumers show`",
    "CARD_STATE_UNFIT": "look at the card: `mintmark cards show`",
    "BINDING_INVALID": "name the merchant gateways one by one, and give merchants only together with theirs",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that breaks its rule: its path within the request, and what is wrong."""

    field: str
    description: str


@dataclass(slots=True)
class Refused(Exception):
    """The command ends with `code`; `text` says why and `advice` what to do."""

    text: str
    advice: str = ""
    code: int = REFUSED
    reason: str = ""
    violations: tuple[Violation, ...] = field(default=())

    def __str__(self) -> str:
        lines = [f"mintmark: {self.text}"]
        lines += [f"  {violation.field}: {violation.description}" for violation in self.violations]
        if self.advice:
            lines.append(f"  what to do: {self.advice}")
        return "\n".join(lines)


def usage(text: str) -> Refused:
    """A command that was given wrongly: exit code 2."""
    return Refused(text, code=USAGE)


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Turns a gRPC error of the core at `address` into Refused."""
    import grpc

    try:
        yield
    except grpc.RpcError as error:
        raise _refused(error, address) from None


def _refused(error: Any, address: str) -> Refused:
    from google.rpc import error_details_pb2
    from grpc_status import rpc_status

    # grpc types an error without the call that it always is.
    code: grpc.StatusCode = error.code()
    text = error.details() or code.name
    reason = ""
    facts: dict[str, str] = {}
    violations: list[Violation] = []
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        about = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(about) and about.domain == "mintmark":
            reason, facts = about.reason, dict(about.metadata)
        elif detail.Unpack(bad):
            violations = [Violation(item.field, item.description) for item in bad.field_violations]
    if not reason:
        return _without_reason(code, text, address)
    shown = ", ".join(f"{key} {value}" for key, value in sorted(facts.items()) if value and value not in text)
    label = f"{reason}, {shown}" if shown and not violations else reason
    return Refused(f"refused: {text} ({label})", ADVICE.get(reason, ""), reason=reason, violations=tuple(violations))


def _without_reason(code: "grpc.StatusCode", text: str, address: str) -> Refused:
    import grpc

    if code is grpc.StatusCode.UNAVAILABLE:
        return Refused(
            f"cannot reach the core at {address}",
            "start it with `mintmark serve` or `mintmark core`, or name its address in MINTMARK_GRPC_ADDRESS",
            reason="UNREACHABLE",
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Refused(f"the core at {address} did not answer in time", "repeat the command")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return Refused(
            f"the core at {address} does not know this call", "use the command of the same version as the core"
        )
    return Refused(f"the core at {address} refused: {text} ({code.name})")
