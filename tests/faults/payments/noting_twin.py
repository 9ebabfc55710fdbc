"""The sandbox, which also writes down every webhook that was acknowledged: `... noting_twin FILE`.

The twin itself remembers them until it is killed.
"""

import json
import os
import sys


def note(file: str) -> None:
    from adapters.sandbox.payment_options.webhooks import Webhook, Webhooks

    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    attempt = Webhooks._attempt

    async def noted(self: Webhooks, webhook: Webhook) -> bool:
        settled = await attempt(self, webhook)
        if webhook.state == "acknowledged":
            line = {
                "payment": webhook.url.rpartition("/")[2].partition(".")[0],
                "transactionId": webhook.charge.transaction_id,
                "outcome": webhook.charge.outcome,
                "mode": webhook.mode,
            }
            os.write(descriptor, json.dumps(line).encode() + b"\n")
        return settled

    Webhooks._attempt = noted  # type: ignore[method-assign]


def main(file: str) -> int:
    note(file)
    from adapters.__main__ import main as run

    return run(["sandbox"])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
