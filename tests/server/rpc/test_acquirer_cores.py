"""Two cores on one PostgreSQL, told the same at the same time: each notification is one, each effect once."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from mintmark.v1 import acquirer_notifications_pb2 as np
from mintmark.v1 import acquirer_transactions_pb2 as pb
from mintmark.v1 import tasks_pb2 as tp

from server.keys import keyring
from tests.server.rpc.acquiring import QUERY, Merchant, open_merchant, outcome_of, said, sealed, state_of
from tests.server.rpc.running import RunningCore, Session, request_id, running_core
from tests.server.rpc.test_payment_cores import Second

SEED = 5


@pytest.fixture
def pair(postgres_database: str, tmp_path: Path) -> Iterator[tuple[RunningCore, Second]]:
    keys = tmp_path / "keyring.json"
    keyring.create(keys)
    with running_core(database_url=postgres_database, keyring_file=keys) as first:
        second = Second(first, tmp_path, postgres_database, keys)
        yield first, second
        second.close()


def deliver(session: Session, merchant: Merchant, message: dict[str, Any]) -> np.RecordAcquirerNotificationResponse:
    envelope = sealed(merchant.key, json.dumps(message).encode())
    request = np.RecordAcquirerNotificationRequest(
        webhook_config_id=merchant.config_id,
        ciphertext=envelope.ciphertext,
        initialization_vector=envelope.initialization_vector,
        authentication_tag=envelope.tag,
        correlation_id="c",
    )
    return session.acquirer_notifications.RecordAcquirerNotification(request)


def test_what_both_are_told_at_once_is_applied_once(pair: tuple[RunningCore, Second]) -> None:
    first, second = pair
    merchant = open_merchant(first)
    others = (merchant, open_merchant(first, like=merchant))
    sessions = (first.gateway, second.gateway())
    chance = random.Random(SEED)
    messages = [
        said(transactionID=f"t-{number}", paymentStatus=state, transactionDateTime=f"2026-03-12T10:0{minute}:00Z")
        for number in range(6)
        for minute, state in enumerate(("Pending", "InProcessing", "Success"))
    ]
    plan = messages * 6
    chance.shuffle(plan)
    cursor = first.admin.head()

    def send(place: int) -> np.RecordAcquirerNotificationResponse:
        return deliver(sessions[place % 2], others[place // 2 % 2], plan[place])

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(send, range(len(plan))))
    assert {outcome_of(answer) for answer in answers} == {"ACKNOWLEDGED"}
    names = Counter(answer.notification for answer in answers)
    assert set(names.values()) == {6}
    assert sum(not answer.repeated for answer in answers) == len(messages)
    kept = {each.name: each.delivery_count for each in merchant.kept()}
    assert kept == dict(names)
    for number in range(6):
        found = merchant.get(f"t-{number}")
        assert (state_of(found), found.contested, found.report_count) == ("SUCCESS", False, 3)
    booked = Counter(
        event.resource
        for event in first.admin.events_after(cursor, merchant_gateway_id=merchant.gateway)
        if event.details.get("booking") == "PAID" and event.details["state_before"] != "SUCCESS"
    )
    assert set(booked.values()) == {1}
    assert len(booked) == 6


def test_a_question_is_leased_to_one(pair: tuple[RunningCore, Second]) -> None:
    first, second = pair
    merchant = open_merchant(first, payments_base_url="https://api.example.com")
    names = [merchant.name_of(merchant.tell()) for _ in range(20)]
    for name in names:
        request = pb.RefreshAcquirerTransactionRequest(request_id=request_id(), name=name)
        first.admin.acquirer_transactions.RefreshAcquirerTransaction(request)
    dispatchers = (first.dispatcher, second.dispatcher())

    def claim(place: int) -> list[str]:
        request = tp.ClaimTasksRequest(kinds=[QUERY], max_tasks=7)
        found = dispatchers[place % 2].tasks.ClaimTasks(request).tasks
        return [task.acquirer_query.acquirer_transaction for task in found]

    with ThreadPoolExecutor(6) as pool:
        claimed = [name for names in pool.map(claim, range(12)) for name in names]
    claimed += claim(0) + claim(1) + claim(0)
    assert sorted(claimed) == sorted(names)
