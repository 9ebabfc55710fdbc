"""Replays of many notifications."""

import grpc
from mintmark.v1 import notifications_pb2, replays_pb2_grpc
from mintmark.v1 import replays_pb2 as pb

from mintmark_client.pages import listing


class Replays:
    """The methods of ReplaysService. All are safe to repeat.

    `list()` iterates over the replays of all pages, the newest first; `results(name=...)` over the notifications of a
    replay that differ or could not be replayed.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = replays_pb2_grpc.ReplaysServiceStub(channel)
        self.list = listing(self._stub.ListReplays, pb.ListReplaysRequest, lambda page: page.replays)
        self.results = listing(self._stub.ListReplayResults, pb.ListReplayResultsRequest, lambda page: page.results)

    def create(
        self,
        reason: str,
        filter: notifications_pb2.NotificationFilter | None = None,
        *,
        dry_run: bool = False,
        request_id: str = "",
    ) -> pb.Replay:
        """Begins to replay all notifications that match, in the background. Raises InvalidRequest."""
        request = pb.CreateReplayRequest(request_id=request_id, filter=filter, dry_run=dry_run, reason=reason)
        return self._stub.CreateReplay(request).replay

    def get(self, name: str) -> pb.Replay:
        """One replay with its progress. Raises NotFound."""
        return self._stub.GetReplay(pb.GetReplayRequest(name=name)).replay

    def cancel(self, name: str, *, request_id: str = "") -> pb.Replay:
        """Ends a replay where it stands; what it has changed stays. Raises NotFound."""
        return self._stub.CancelReplay(pb.CancelReplayRequest(request_id=request_id, name=name)).replay
