"""Encrypted notifications: opened, kept, acknowledged, and applied once."""

import json

import pytest

from tests.server.rpc.acquiring import booking_of, deliver, open_merchant, outcome_of, said, sealed, state_of
from tests.server.rpc.running import RunningCore


def test_a_purchase_is_acknowledged_kept_and_booked_once(core: RunningCore) -> None:
    merchant = open_merchant(core)
    cursor = core.admin.head()
    message = said(extra={"unknown": [1, 2.50, "x"]})
    first, again = merchant.send(message), merchant.send(message)
    assert (outcome_of(first), first.acknowledgement_status_code) == ("ACKNOWLEDGED", "200")
    assert first.notification_id == again.notification_id == message["notificationID"]
    assert (first.notification, first.repeated, again.repeated) == (again.notification, False, True)
    found = merchant.get(message["transactionID"])
    assert (state_of(found), booking_of(found)) == ("SUCCESS", "PAID")
    assert (found.amount.minor_amount, found.amount.currency_code, found.amount_text) == (5050, "PLN", "50.5")
    assert (found.merchant_reference, found.terminal_id, found.report_count) == ("order-1", "50994", 1)
    (kept,) = merchant.kept()
    assert (kept.delivery_count, kept.resource, kept.webhook_config) == (2, found.name, merchant.config)
    assert kept.partner_notification_id == message["notificationID"]
    (report,) = merchant.reports(message["transactionID"])
    assert json.loads(report.redacted_body) == message
    assert '"unknown":[1,2.5,"x"]' in report.redacted_body
    assert merchant.kinds(cursor) == ["ACQUIRER_TRANSACTION_UPDATED"]
