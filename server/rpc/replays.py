"""ReplaysService."""

from collections.abc import Callable

from mintmark.v1 import replays_pb2 as pb

from server.domain import notification_filters
from server.domain.queries import Page
from server.domain.replays import NotificationReplay, Replay, ReplayResult
from server.ports import Ids, Store, Transaction
from server.rpc import notification_replays, notifications
from server.rpc.calls import Call, Calls
from server.rpc.pages import PageTokens
from server.rpc.words import timestamp
from server.services import replays


def to_proto(replay: Replay) -> pb.Replay:
    return pb.Replay(
        name=replay.name,
        client=replay.client,
        reason=replay.reason,
        dry_run=replay.dry_run,
        filter=notifications.filter_to_proto(notification_filters.of_text(replay.filter)),
        state=pb.ReplayState.Value(f"REPLAY_STATE_{replay.state}"),
        end_reason=replay.end_reason,
        total_count=replay.total_count,
        examined_count=replay.examined_count,
        different_count=replay.different_count,
        applied_count=replay.applied_count,
        refused_count=replay.refused_count,
        result_count=replay.result_count,
        position=replay.position,
        create_time=timestamp(replay.create_time),
        update_time=timestamp(replay.update_time),
        end_time=timestamp(replay.end_time),
    )


def result_to_proto(result: ReplayResult) -> pb.ReplayResult:
    shown = pb.ReplayResult(applied=result.applied, cause=result.cause)
    shown.replay.notification = result.name
    for before, after in zip(result.before, result.after, strict=True):
        replay = NotificationReplay(result.name, before, after, result.differences)
        shown.replay.CopyFrom(notification_replays.to_proto(replay))
    return shown


class Replays:
    """The methods of ReplaysService, behind the wrapper of every call. `wake` makes the chore look at once."""

    def __init__(self, store: Store, calls: Calls, pages: PageTokens, ids: Ids, wake: Callable[[], None]) -> None:
        self._store = store
        self._calls = calls
        self._pages = pages
        self._ids = ids
        self._wake = wake
        self._now: Callable[[], int] = calls.clock.now

    def CreateReplay(self, request: pb.CreateReplayRequest, call: Call) -> pb.CreateReplayResponse:
        chosen = notifications.filter_of(request.filter)

        def run(transaction: Transaction) -> pb.CreateReplayResponse:
            made = replays.create(
                transaction, self._ids, call.caller, chosen, request.reason, self._now(), dry_run=request.dry_run
            )
            return pb.CreateReplayResponse(replay=to_proto(made))

        answer = self._calls.write(call, request, "replays", run)
        self._wake()
        return answer

    def GetReplay(self, request: pb.GetReplayRequest, call: Call) -> pb.GetReplayResponse:
        return pb.GetReplayResponse(replay=to_proto(replays.get(self._store, call.caller, request.name)))

    def ListReplays(self, request: pb.ListReplaysRequest, call: Call) -> pb.ListReplaysResponse:
        found, next_page = self._pages.list(
            request, call.caller.client, lambda page: replays.list_page(self._store, call.caller, page), to_proto
        )
        return pb.ListReplaysResponse(replays=found, next_page_token=next_page)

    def CancelReplay(self, request: pb.CancelReplayRequest, call: Call) -> pb.CancelReplayResponse:
        def run(transaction: Transaction) -> pb.CancelReplayResponse:
            ended = replays.cancel(transaction, call.caller, request.name, self._now())
            return pb.CancelReplayResponse(replay=to_proto(ended))

        return self._calls.write(call, request, request.name, run)

    def ListReplayResults(self, request: pb.ListReplayResultsRequest, call: Call) -> pb.ListReplayResultsResponse:
        def read(page: Page) -> list[ReplayResult]:
            return replays.list_results(self._store, call.caller, request.name, page)

        found, next_page = self._pages.list(request, call.caller.client, read, result_to_proto)
        return pb.ListReplayResultsResponse(results=found, next_page_token=next_page)
