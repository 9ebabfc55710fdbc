"""Tasks that are ours for a while."""

from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import tasks_pb2 as pb


@dataclass(slots=True)
class Lease:
    """A task that is ours until `until`, on the monotonic clock."""

    task: pb.Task
    until: float

    def to_proto(self) -> pb.TaskLease:
        return pb.TaskLease(task=self.task.name, fence=self.task.fence)


def duration(seconds: float) -> Duration:
    made = Duration()
    made.FromMicroseconds(int(seconds * 1_000_000))
    return made
