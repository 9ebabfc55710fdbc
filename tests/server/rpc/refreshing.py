"""Tokens that are to be read again, as a core sees them: an account that calls D1, and a dispatcher that answers as
told."""

import itertools
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import accounts_pb2 as ap
from mintmark.v1 import events_pb2 as ev
from mintmark.v1 import tasks_pb2 as tp
from mintmark.v1 import tokens_pb2 as pb

from tests.server.rpc import notices
from tests.server.rpc.running import RunningCore, request_id

_NUMBERS = itertools.count(1)
REFRESH = tp.TASK_KIND_REFRESH_TOKEN
ANSWERED, NOT_SENT, UNKNOWN = tp.CALL_OUTCOME_ANSWERED, tp.CALL_OUTCOME_NOT_SENT, tp.CALL_OUTCOME_UNKNOWN
MERCHANT = "10610027312"
CARD = {"card_bin": "453421", "card_last_digits": "9999", "card_expiry": "0431", "state_text": "ACTIVE"}


def made_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Any, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    return str(key.private_bytes(Encoding.PEM, form, NoEncryption()).decode())


@dataclass
class Gateway:
    """A merchant gateway of its own at D1, and the account that calls it."""

    core: RunningCore
    gateway: str
    key: ec.EllipticCurvePrivateKey
    partner: str

    @property
    def account(self) -> str:
        return f"partnerAccounts/{self.gateway}"

    def stated(self, **fields: Any) -> ap.Account:
        given = {"base_url": "https://d1.example", "key_id": "our-key", "signing_key": pem(self.key), **fields}
        return ap.Account(
            account_id=self.gateway,
            provider=ap.ACCOUNT_PROVIDER_D1_ECOM,
            merchant_gateway_id=self.gateway,
            d1_api=ap.D1Api(**given),
        )

    def state(self, **fields: Any) -> list[str]:
        """Applies the account; the fields that changed."""
        return self.apply(self.stated(**fields))

    def apply(self, account: ap.Account) -> list[str]:
        request = ap.ApplyAccountsRequest(request_id=request_id(), accounts=[account])
        return list(self.core.admin.accounts.ApplyAccounts(request).changes[0].fields)

    def name(self, of: str) -> str:
        return f"merchantGateways/{self.gateway}/merchants/{MERCHANT}/tokens/{of}"

    def notify(self, of: str = "t-1", **fields: Any) -> None:
        """D1 says that the token has changed."""
        told = {"merchant_id": MERCHANT, "token_id": of, **fields}
        notices.record(self.core, notices.d1(self.partner, self.gateway, **told))

    def token(self, of: str = "t-1") -> pb.Token:
        return self.core.admin.tokens.GetToken(pb.GetTokenRequest(name=self.name(of))).token

    def refresh(self, of: str = "t-1") -> pb.Token:
        request = pb.RefreshTokenRequest(request_id=request_id(), name=self.name(of))
        return self.core.admin.tokens.RefreshToken(request).token

    def claim(self, most: int = 64, account: str = "") -> list[tp.Task]:
        """The due tasks of this gateway's account, or another one, leased; those of others are left alone."""
        mine = account or self.account
        listed = self.core.admin.accounts.ListAccounts(ap.ListAccountsRequest(page_size=1000))
        others = [each.name for each in listed.accounts if each.name != mine]
        request = tp.ClaimTasksRequest(kinds=[REFRESH], max_tasks=most, paused_accounts=others)
        return list(self.core.dispatcher.tasks.ClaimTasks(request).tasks)

    def claim_one(self) -> tp.Task:
        (task,) = self.claim()
        return task

    def tell(self, task: tp.Task, **fields: Any) -> None:
        """What a dispatcher learned; without anything else it has read the token."""
        given: dict[str, Any] = {"outcome": ANSWERED, "http_status": 200, **fields}
        if given["outcome"] == ANSWERED and given["http_status"] == 200:
            given.setdefault("details", tp.TokenDetails(**CARD))
        request = tp.RecordTokenRefreshRequest(
            task=task.name,
            fence=task.fence,
            token=task.token_refresh.token,
            generation=given.pop("generation", task.token_refresh.generation),
            **given,
        )
        self.core.dispatcher.tasks.RecordTokenRefresh(request)

    def kinds(self, cursor: str, of: str = "t-1") -> list[str]:
        found = self.core.admin.events_after(cursor, resource=self.name(of))
        return [ev.EventKind.Name(event.kind).removeprefix("EVENT_KIND_") for event in found]


def life(seconds: int) -> Duration:
    return Duration(seconds=seconds)


def open_gateway(core: RunningCore, *, account: bool = True, **fields: Any) -> Gateway:
    gateway_id = f"MGW_R{next(_NUMBERS):05}"
    made = Gateway(core, gateway_id, made_key(), core.partner(gateway_id))
    if account:
        made.state(**fields)
    return made
