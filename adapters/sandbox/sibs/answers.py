"""The acquirer's answers, in the shapes and spellings that its pages allow."""

from collections.abc import Sequence
from typing import Any

from adapters.sandbox.sibs.config import Config, coded
from adapters.sandbox.sibs.habits import Habits

ACCEPTED, REJECTED = "ACTC", "RJCT"
# How sister APIs of the acquirer spell them.
SISTERS = {ACCEPTED: "ACT", REJECTED: "RJT"}
SUCCESS_CODE, UNEXPECTED_CODE, INVALID_CODE = "000", "999", "E0101"
LONGEST_DESCRIPTION = 512
HTTP_TITLES = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

Document = dict[str, Any]


def accepted() -> Document:
    """ACTC and "000"."""
    return {"transactionStatus": ACCEPTED, "returnStatus": return_status(SUCCESS_CODE, "Success", "Success")}


def rejected(description: str, code: str = UNEXPECTED_CODE, message: str = "Unexpected Error") -> Document:
    """RJCT with a code."""
    return {"transactionStatus": REJECTED, "returnStatus": return_status(code, message, description)}


def invalid(description: str) -> Document:
    """What breaks a rule of the contract (HTTP 400)."""
    return rejected(description, INVALID_CODE, "Invalid request")


def return_status(code: str, message: str, description: str) -> Document:
    """The block of that name."""
    return {"statusCode": code, "statusMsg": message, "statusDescription": description[:LONGEST_DESCRIPTION]}


def in_front(status: int) -> Document:
    """What the API's front answers before the acquirer sees the call."""
    title = HTTP_TITLES.get(status, "Error")
    return {"httpCode": str(status), "httpMessage": title, "moreInformation": title}


def listed(configs: Sequence[Config], habits: Habits, shape: str) -> Document:
    """A list in one of the shapes that the pages can be read as."""
    document = accepted()
    whole = [config.wire(habits) for config in configs]
    match shape:
        case "b":
            document["webhooks"] = [{"webhook": each} for each in whole]
        case "c":
            methods = [method for config in configs for method in config.methods]
            document["paymentMethods"] = coded(list(dict.fromkeys(methods)))
            document["webhooks"] = {"webhook": [config.wire(habits, methods=False) for config in configs]}
        case "single" if len(whole) == 1:
            document["webhooks"] = {"webhook": whole[0]}
        case _:
            document["webhooks"] = {"webhook": whole}
    return document


def spelled(document: Any, spelling: str) -> Any:
    """The same as a sister API says it, if told so."""
    if spelling != SISTERS[ACCEPTED] or not isinstance(document, dict) or "transactionStatus" not in document:
        return document
    told = document["transactionStatus"]
    return {**document, "transactionStatus": SISTERS.get(told, told)}
