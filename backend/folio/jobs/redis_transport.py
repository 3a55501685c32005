"""Celery's way to Redis, with one trap taken out of it.

A worker has one message that it has not acknowledged yet. Where Redis is away at the moment of the
acknowledgement, kombu (5.7) keeps counting that message as unacknowledged, so the worker never asks
for another one, never notices that its connection is dead, and idles for ever. Here the message
counts as done. If Redis still has it, it comes again, and finds its work done or claimed.
"""

from typing import Any

from kombu.transport import redis, virtual


class ForgetfulQoS(redis.QoS):  # type: ignore[misc]
    """Forgets what it could not acknowledge."""

    def ack(self, delivery_tag: Any) -> None:
        try:
            super().ack(delivery_tag)
        except self.channel.connection_errors:
            virtual.QoS.ack(self, delivery_tag)
            raise

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        try:
            super().reject(delivery_tag, requeue=requeue)
        except self.channel.connection_errors:
            virtual.QoS.ack(self, delivery_tag)
            raise


class Channel(redis.Channel):  # type: ignore[misc]
    QoS = ForgetfulQoS


class Transport(redis.Transport):  # type: ignore[misc]
    Channel = Channel
