"""Messages of a Ray worker arrive once, even if calls and replies are lost."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autoloss.core.errors import InputError
from autoloss.executors import LocalExecutor, Work
from autoloss.executors.alike import versions_here
from autoloss.executors.messages import Done, Ended, Fetch, Fetched, Ready, Share
from autoloss.executors.ray_actor import Call, Needs, RayWorker, Reply
from autoloss.executors.ray_hand import Hand
from autoloss.training import Candidate, Job
from tests.executors.test_processes import assert_equal, outcomes


class Lossy:
    """A connection with a worker of this process, as `Hand` sees an actor.

    Args:
        worker: The worker.
        lost: The share of the calls that are lost before they arrive, and of the replies.
        seed: Seed of the losses.
    """

    def __init__(self, worker: RayWorker, lost: float, seed: int) -> None:
        self._worker, self._lost, self._draw = worker, lost, random.Random(seed)

    @property
    def exchange(self) -> Lossy:
        return self

    def remote(self, call: Call) -> Reply | None:
        if self._draw.random() < self._lost:
            return None
        reply = self._worker.exchange(call)
        return None if self._draw.random() < self._lost else reply


def talk(hand: Hand, until: type) -> list[Any]:
    """Exchange messages until one of a type has arrived; return all of them."""
    heard: list[Any] = []
    for _ in range(10_000):
        hand.call()
        heard += () if hand.reply is None else hand.take(hand.reply)
        if heard and isinstance(heard[-1], until):
            return heard
    raise AssertionError(f"no {until.__name__} among {heard}")


@pytest.fixture
def worker(job: Job, monkeypatch: pytest.MonkeyPatch) -> RayWorker:
    found = RayWorker(Needs(versions_here()), "cpu")
    monkeypatch.setattr(found._link, "jobs", lambda data: {"a": (job,)}[data])
    return found


@pytest.mark.parametrize("lost", [0.0, 0.6])
def test_each_message_arrives_once(
    worker: RayWorker, job: Job, mixed: list[Candidate], lost: float
) -> None:
    hand = Hand(Lossy(worker, lost, seed=3))
    assert isinstance(talk(hand, Ready)[0], Ready)
    here = outcomes(LocalExecutor(together=6), Work((job,), tuple(mixed)))
    for _ in range(2):
        hand.messages.append(Share("a", tuple(mixed), None, True))
        heard = talk(hand, Done)
        ended = [one for one in heard if isinstance(one, Ended)]
        assert sorted(one.place for one in ended) == list(range(len(mixed)))
        assert sum(isinstance(one, Done) for one in heard) == 1
        by_place = {}
        for one in ended:
            hand.messages.append(Fetch(one.key))
            weights = talk(hand, Fetched)[-1].weights
            by_place[one.place] = replace(one.outcome, weights=weights)
        assert_equal([by_place[place] for place in sorted(by_place)], here)


def test_a_call_of_another_life_changes_nothing(
    worker: RayWorker, job: Job, mixed: list[Candidate]
) -> None:
    share = Share("a", tuple(mixed), None, True)
    reply = worker.exchange(Call("another", 1, 0, (share,), 0, 60.0))
    assert reply.life not in ("", "another")
    assert reply.messages == ()
    hand = Hand(Lossy(worker, 0.0, seed=0))
    assert [type(one) for one in talk(hand, Ready)] == [Ready]
    assert hand.first == 0


def test_a_later_call_ends_the_wait_of_an_earlier_one(worker: RayWorker) -> None:
    hand = Hand(Lossy(worker, 0.0, seed=0))
    talk(hand, Ready)
    late = Call(hand.life, 10, 0, (), hand.heard, 0.0)
    assert worker.exchange(late).messages == ()
    # It would wait for a minute.
    early = Call(hand.life, 9, 0, (), hand.heard, 60.0)
    assert worker.exchange(early).messages == ()


def test_a_worker_refuses_a_node_that_is_not_like_the_others(tmp_path: Path) -> None:
    here = versions_here()
    with pytest.raises(InputError, match=r"must have torch 0\.1, as here, but .* has \d"):
        RayWorker(Needs({**here, "torch": "0.1"}), "cpu")
    with pytest.raises(InputError, match=r"must have the same path .* has no .*net\.py: put"):
        RayWorker(Needs(here, files=(tmp_path / "net.py",)), "cpu")
