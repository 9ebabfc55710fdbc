"""What partners sent."""

import grpc
from mintmark.v1 import notifications_pb2 as pb
from mintmark.v1 import notifications_pb2_grpc

from mintmark_client.pages import listing


class Notifications:
    """The methods of NotificationsService. All are safe to repeat.

    `list(...)` takes the fields of ListNotificationsRequest as keywords and iterates over the notifications of all
    pages, the newest first, without bodies.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = notifications_pb2_grpc.NotificationsServiceStub(channel)
        self.list = listing(self._stub.ListNotifications, pb.ListNotificationsRequest, lambda page: page.notifications)

    def get(self, name: str) -> pb.Notification:
        """One notification with its redacted body. Raises NotFound."""
        return self._stub.GetNotification(pb.GetNotificationRequest(name=name)).notification

    def plan_replay(self, name: str) -> pb.NotificationReplay:
        """What deciding one notification again by today's rules would change. Raises NotFound, PreconditionFailed."""
        return self._stub.PlanNotificationReplay(pb.PlanNotificationReplayRequest(name=name)).replay

    def replay(self, name: str, *, request_id: str = "") -> pb.NotificationReplay:
        """Decides one notification again and makes the difference real. Raises NotFound, PreconditionFailed."""
        request = pb.ReplayNotificationRequest(request_id=request_id, name=name)
        return self._stub.ReplayNotification(request).replay
