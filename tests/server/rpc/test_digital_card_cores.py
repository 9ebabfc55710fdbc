"""Two cores on one PostgreSQL are told of the same digital cards at the same time, in whatever order."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mintmark.v1 import digital_cards_pb2 as pb
from mintmark.v1 import notifications_pb2 as np

from tests.server.rpc.notices import issuer, record
from tests.server.rpc.running import RunningCore
from tests.server.rpc.two_cores import two_cores
from tests.waiting import eventually

SEED = 7
ISSUER = "TWOCORES01"
CARDS = [f"d-{number}" for number in range(12)]


def test_each_report_counts_whichever_core_is_told(postgres_database: str) -> None:
    chance = random.Random(SEED)
    with two_cores(postgres_database, "") as cores:
        sender = cores[0].create(["d1-notify"], issuers=[ISSUER]).client.name

        def told(core: RunningCore, number: int, chosen: list[str]) -> list[int]:
            records = [
                issuer(
                    sender,
                    ISSUER,
                    "digital_card_operation",
                    {"operation": "CREATE", "status": "SUCCESSFUL"},
                    digital_card_id=each,
                    operation_id=f"op-{number}",
                )
                for each in chosen
            ]
            fields: dict[str, Any] = {"operation": "DIGITIZE", "status": "SUCCESSFUL", "digital_card_ids": chosen}
            ids = {"card_id": "c-1", "operation_id": f"op-{number}"}
            records.append(issuer(sender, ISSUER, "card_operation", fields, **ids))
            return [each.state for each in record(core, *records)]

        applied = np.NOTIFICATION_STATE_APPLIED
        eventually(lambda: told(cores[1], 999, ["ping"]) == [applied] * 2, 20, "the client at the second core")
        work = [(cores[number % 2], number, chance.sample(CARDS, 6)) for number in range(16)]
        with ThreadPoolExecutor(8) as pool:
            states = [state for each in pool.map(lambda each: told(*each), work) for state in each]
        assert set(states) == {applied}
        request = pb.ListDigitalCardsRequest(issuer_id=ISSUER, card_id="c-1")
        found = cores[0].admin.digital_cards.ListDigitalCards(request).digital_cards
        assert {each.digital_card_id for each in found} == {"ping", *CARDS}
        assert {each.state for each in found} == {pb.DIGITAL_CARD_STATE_ACTIVE}
