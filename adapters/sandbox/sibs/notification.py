"""A notification and its tries, as the acquirer's ledger has them: never with a key."""

from typing import Any

from msgspec import Struct

REQUESTED, PROCESSED = "Requested", "Processed"


class Try(Struct, rename="camel"):
    """One sending, and what came of it. `due`: when the next one is (the acquirer's seconds); None: never."""

    number: int
    at: float
    time: str
    key_number: int
    # 0: no answer.
    status: int
    acknowledged: bool
    # Why it is no acknowledgement.
    why: str
    # The beginning of the answer's body.
    answer: str
    due: float | None


class Notification(Struct, rename="camel"):
    """One notification to one config. Its plaintext is the same in each try, the IV never."""

    number: int
    notification_id: str
    transaction_id: str
    payment_type: str
    payment_status: str
    acquirer_id: str
    config_code: str
    plaintext: str
    time: str
    # In the acquirer's seconds: when it was made, and when it is sent next (None: never).
    made: float
    due: float | None
    # How the script has it sent, and how many of its tries are damaged so.
    mode: str = ""
    damaged_tries: int = 0
    copy: int = 0
    after_another: bool = False
    tries: list[Try] = []

    @property
    def state(self) -> str:
        """Requested until a try was acknowledged."""
        return PROCESSED if any(each.acknowledged for each in self.tries) else REQUESTED

    @property
    def first(self) -> float:
        """When it was first tried, or made."""
        return self.tries[0].at if self.tries else self.made

    def document(self, *, whole: bool = False) -> dict[str, Any]:
        """For people; `whole` with plaintext and tries."""
        last = self.tries[-1] if self.tries else None
        document = {
            "number": self.number,
            "notificationId": self.notification_id,
            "transactionId": self.transaction_id,
            "paymentType": self.payment_type,
            "paymentStatus": self.payment_status,
            "config": self.config_code,
            "state": self.state,
            "mode": self.mode,
            "copy": self.copy,
            "time": self.time,
            "tries": len(self.tries),
            "status": last.status if last else None,
            "why": last.why if last else "",
            "due": self.due if self.state == REQUESTED else None,
        }
        if whole:
            document["plaintext"] = self.plaintext
            document["history"] = self.tries
        return document
