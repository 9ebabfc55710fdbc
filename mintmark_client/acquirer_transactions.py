"""Transactions at the acquirer, as its notifications and its status answers tell of them."""

import grpc
from mintmark.v1 import acquirer_transactions_pb2 as pb
from mintmark.v1 import acquirer_transactions_pb2_grpc

from mintmark_client.pages import listing


class AcquirerTransactions:
    """The methods of AcquirerTransactionsService.

    `list(...)` and `reports(...)` take the fields of their requests as keywords and iterate over all pages.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = acquirer_transactions_pb2_grpc.AcquirerTransactionsServiceStub(channel)
        self.list = listing(
            self._stub.ListAcquirerTransactions,
            pb.ListAcquirerTransactionsRequest,
            lambda page: page.acquirer_transactions,
        )
        self.reports = listing(
            self._stub.ListAcquirerTransactionReports,
            pb.ListAcquirerTransactionReportsRequest,
            lambda page: page.reports,
        )

    def get(self, name: str) -> pb.AcquirerTransaction:
        """One transaction. Raises NotFound."""
        request = pb.GetAcquirerTransactionRequest(name=name)
        return self._stub.GetAcquirerTransaction(request).acquirer_transaction

    def refresh(self, name: str, *, request_id: str = "") -> pb.AcquirerTransaction:
        """Has the acquirer asked for the status, and answers at once with `query_pending`; what the answer changes is
        an event. Raises NotFound, PreconditionFailed where the account does not say where to ask."""
        request = pb.RefreshAcquirerTransactionRequest(request_id=request_id, name=name)
        return self._stub.RefreshAcquirerTransaction(request).acquirer_transaction
