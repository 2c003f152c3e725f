"""A worker on a Ray cluster, as the coordinator knows it: its life, and the messages to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from autoloss.executors.ray_actor import Call, Reply

CALL_SECONDS = 5.0
"""Seconds after which a call to a worker returns without a message."""


@dataclass(eq=False)
class Hand:
    """A worker, as the coordinator knows it.

    Args:
        actor: Its actor.

    Attributes:
        life: The life of the actor; empty before its first reply.
        pid: Its process.
        place: Its node and device.
        is_ready: Whether it can train.
        is_lost: Whether it was ready, and its candidates train elsewhere now.
        is_gone: Whether it failed to begin, so that Ray does not start it again.
        size: Candidates that it trains together; 0 if it was not asked.
        reply: The reply that is awaited; None if none is.
        asked: When it was called last, on `time.monotonic`'s clock.
        calls: The number of calls.
        messages: Messages that may not have arrived.
        first: The number of the first of them.
        heard: The number of its messages that have arrived.
        silent: Seconds for which a reply is awaited.
        failures: Calls in a row that failed.
        why: The reason.
    """

    actor: Any
    life: str = ""
    pid: int = 0
    place: str = ""
    is_ready: bool = False
    is_lost: bool = False
    is_gone: bool = False
    size: int = 0
    reply: Any = None
    asked: float = 0.0
    calls: int = 0
    messages: list[Any] = field(default_factory=list)
    first: int = 0
    heard: int = 0
    silent: float = 0.0
    failures: int = 0
    why: str = ""

    def call(self) -> None:
        """Exchange messages; the call returns when the worker has some."""
        self.asked, self.silent = monotonic(), 0.0
        self.calls += 1
        call = Call(
            self.life, self.calls, self.first, tuple(self.messages), self.heard, CALL_SECONDS
        )
        self.reply = self.actor.exchange.remote(call)

    def begin(self, life: str) -> None:
        """Forget all messages, because another life of the actor has begun."""
        self.life, self.messages, self.first, self.heard, self.is_lost = life, [], 0, 0, False

    def take(self, reply: Reply) -> tuple[Any, ...]:
        """Return the messages of a reply that have not arrived before."""
        self.life, self.pid, self.place = reply.life, reply.pid, reply.place
        del self.messages[: max(0, reply.heard - self.first)]
        self.first = max(self.first, reply.heard)
        new = reply.messages[max(0, self.heard - reply.first) :]
        self.heard += len(new)
        return new
