"""The benchmark of executors counts the messages of a crew, without their data."""

from __future__ import annotations

import pickle
from typing import Any

from autoloss.executors.messages import Done, Leave, Timing
from benchmarks.executors import Traffic


class Echo:
    """A crew whose worker answers each message with `Done`."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, worker: int, message: object) -> None:
        self.sent.append(message)

    def receive(self) -> tuple[int, Any]:
        return 0, Done()


def test_messages_of_both_directions_count_and_data_do_not() -> None:
    crew: Any = Echo()
    counted = Traffic(crew)
    crew.send(0, Leave((1, 2)))
    crew.receive()
    plain = sum(len(pickle.dumps(one, protocol=5)) for one in (Leave((1, 2)), Done()))
    assert (counted.messages, counted.bytes) == (2, plain)
    before = counted.bytes
    crew.send(0, Timing(bytes(10_000), 3))
    assert 0 < counted.bytes - before < 1_000
    assert len(crew.sent) == 2
