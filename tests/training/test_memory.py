from __future__ import annotations

import weakref
from collections.abc import Sequence

import pytest
import torch

from autoloss.core.errors import TrainingError
from autoloss.executors import LocalExecutor, Work
from autoloss.training import Candidate, Job, if_it_fits, in_halves, together, train
from autoloss.training import pool as loop
from autoloss.training.estimate import measure_costs


def holding(limit: int, seen: list[int], error: Exception):  # type: ignore[no-untyped-def]
    def run(items: Sequence[int]) -> list[int]:
        seen.append(len(items))
        if len(items) > limit:
            raise error
        return [item * 10 for item in items]

    return run


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
    ],
)
def test_halves_until_it_fits_and_loses_nothing(error: Exception) -> None:
    seen: list[int] = []
    halved: list[int] = []
    results = in_halves(holding(3, seen, error), range(10), on_halved=halved.append)
    assert results == [item * 10 for item in range(10)]
    assert max(size for size in seen if size <= 3) == 3
    assert halved[0] == 5


def test_one_that_does_not_fit_alone_is_an_error() -> None:
    with pytest.raises(TrainingError, match="batch_size or width"):
        in_halves(holding(0, [], MemoryError()), [1, 2])


def test_other_errors_are_not_swallowed() -> None:
    with pytest.raises(RuntimeError, match="shape"):
        in_halves(holding(0, [], RuntimeError("wrong shape")), [1, 2])


def test_work_that_does_not_fit_leaves_nothing_in_memory() -> None:
    filled: list[weakref.ref[torch.Tensor]] = []

    def run() -> None:
        large = torch.zeros(3)
        filled.append(weakref.ref(large))
        raise MemoryError

    assert if_it_fits(run) is None
    assert filled[0]() is None


def test_candidates_trained_after_an_allocation_failed_are_as_they_would_have_been(
    job: Job, mixed: list[Candidate], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = train(job, mixed)
    whole = loop.Population

    def scarce(network: object, candidates: Sequence[Candidate], *rest: object, **more: object):  # type: ignore[no-untyped-def]
        if len(candidates) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(network, candidates, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "Population", scarce)
    executor = LocalExecutor(together=6)
    reports = executor.submit(Work((job,), tuple(mixed)))
    outcomes = [report.outcome for report in reports]
    assert executor.together <= 2
    for outcome, other in zip(outcomes, expected, strict=True):
        torch.testing.assert_close(outcome.weights, other.weights, rtol=0, atol=1e-10)


@pytest.mark.parametrize("most", [1, 3])
def test_timing_is_of_what_the_memory_holds(job, monkeypatch, most):
    of, sizes = together.Population, []

    def limited(networks, candidates, *rest, **options):
        if len(candidates) > most:
            raise MemoryError
        sizes.append(len(candidates))
        return of(networks, candidates, *rest, **options)

    monkeypatch.setattr(together, "Population", limited)
    costs = measure_costs([job], together=16, seconds=0.1)
    assert max(sizes) == (1 if most == 1 else 2)
    assert costs.epoch(16) > 0


def test_timing_without_room_for_a_candidate_is_one_line(job, monkeypatch):
    def full(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(together, "Population", full)
    with pytest.raises(TrainingError, match="at least one candidate"):
        measure_costs([job], together=16)
