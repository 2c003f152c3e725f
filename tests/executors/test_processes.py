"""Worker processes train as this process does, whatever their number, and none outlives it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from autoloss.core.errors import TrainingError
from autoloss.executors import LocalExecutor, ProcessCrew, ProcessExecutor, Staffing, Work
from autoloss.executors.crew import UnsendableError
from autoloss.executors.messages import Done, Ended, Halved, Setup, Share, read, write
from autoloss.executors.processes import parts_of
from autoloss.executors.worker import StreamLink, Worker
from autoloss.search.lease import is_running
from autoloss.training import Candidate, EpochReport, Job, Outcome, Population

PATIENCE_SECONDS = 60.0


def hired(count: int) -> Iterator[ProcessCrew]:
    with ProcessCrew() as crew:
        crew.begin(Staffing(count, ""))
        yield crew


@pytest.fixture(scope="module")
def two() -> Iterator[ProcessCrew]:
    yield from hired(2)


@pytest.fixture(scope="module")
def three() -> Iterator[ProcessCrew]:
    yield from hired(3)


def executor(
    crew: ProcessCrew,
    *,
    together: int = 6,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
    on_local: Callable[[str], None] = pytest.fail,
) -> ProcessExecutor:
    return ProcessExecutor(
        crew,
        together=together,
        on_epoch=on_epoch,
        on_halved=lambda together: None,
        on_local=on_local,
    )


def outcomes(trainer: LocalExecutor | ProcessExecutor, work: Work, **more: Any) -> list[Outcome]:
    reports = {report.place: report.outcome for report in trainer.submit(work, **more)}
    return [reports[place] for place in range(len(work.candidates))]


def assert_equal(some: Sequence[Outcome], others: Sequence[Outcome]) -> None:
    for one, other in zip(some, others, strict=True):
        assert replace(one.report, seconds=0.0, curve=()) == replace(
            other.report, seconds=0.0, curve=()
        )
        curves = [[point.refined_log_loss for point in o.report.curve] for o in (one, other)]
        assert curves[0] == pytest.approx(curves[1], abs=1e-9)
        torch.testing.assert_close(one.logits, other.logits, rtol=0, atol=1e-9)
        torch.testing.assert_close(one.weights, other.weights, rtol=0, atol=1e-10)


def test_waiting_ends_when_the_workers_have_started_or_died() -> None:
    with ProcessCrew() as crew:
        crew.begin(Staffing(2, ""))
        crew.wait(0.0)
        os.kill(crew.pids[0], signal.SIGKILL)
        began = time.monotonic()
        crew.wait(10 * PATIENCE_SECONDS)
        assert time.monotonic() - began < 5 * PATIENCE_SECONDS
        assert all(worker.started.is_set() for worker in crew._workers)
        assert is_running(crew.pids[1])


def awaited(is_so: Callable[[], bool]) -> bool:
    """Wait until something is so; return whether it is."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not is_so() and time.monotonic() < ends:
        time.sleep(0.05)
    return is_so()


@pytest.mark.parametrize("together", [6, 4])
def test_any_number_of_workers_trains_as_one_process(
    job: Job, mixed: list[Candidate], two: ProcessCrew, three: ProcessCrew, together: int
) -> None:
    folds = [replace(candidate, fold=fold) for fold in range(2) for candidate in mixed]
    work = Work((job, replace(job)), tuple(folds))
    here = outcomes(LocalExecutor(together=together), work)
    assert_equal(outcomes(executor(two, together=together), work), here)
    assert_equal(outcomes(executor(three, together=together), work), here)


def test_more_workers_than_candidates(
    job: Job, mixed: list[Candidate], three: ProcessCrew
) -> None:
    work = Work((job,), tuple(mixed[:2]))
    assert_equal(outcomes(executor(three), work), outcomes(LocalExecutor(together=2), work))


def test_weights_stay_where_they_are_not_needed(
    job: Job, mixed: list[Candidate], two: ProcessCrew
) -> None:
    work = Work((job,), tuple(mixed), needs_weights=False)
    assert all(not outcome.weights.numel() for outcome in outcomes(executor(two), work))
    assert all(
        not outcome.weights.numel() for outcome in outcomes(LocalExecutor(together=6), work)
    )


def test_weights_are_fetched_when_they_are_read(job: Job, mixed: list[Candidate]) -> None:
    work = Work((job,), tuple(mixed))
    here = outcomes(LocalExecutor(together=6), work)
    with ProcessCrew() as crew:
        crew.begin(Staffing(2, ""))
        sent: dict[int, Ended] = {}
        receive = crew.receive

        def received() -> tuple[int, Any]:
            worker, message = receive()
            if isinstance(message, Ended):
                assert not message.outcome.weights.numel()
                sent[worker] = message
            return worker, message

        crew.receive = received  # type: ignore[method-assign]
        trainer = executor(crew)
        found = outcomes(trainer, work)
        # The candidates of this worker train again.
        os.kill(crew.pids[0], signal.SIGTERM)
        assert_equal(found, here)
        key = sent[1].key
        assert trainer._fetch(0, key) is None
        assert trainer._fetch(1, key) is not None
        del found
        outcomes(trainer, replace(work, needs_weights=False))
        assert trainer._fetch(1, key) is None


def test_epochs_are_reported_as_those_of_one_population(
    job: Job, mixed: list[Candidate], two: ProcessCrew
) -> None:
    work, here, there = Work((job,), tuple(mixed)), [], []
    outcomes(LocalExecutor(together=6, on_epoch=here.append), work)
    outcomes(executor(two, on_epoch=there.append), work)
    assert len(here) > 1
    assert [replace(report, points=()) for report in there] == [
        replace(report, best_log_loss=pytest.approx(report.best_log_loss, abs=1e-9), points=())
        for report in here
    ]
    for one, other in zip(here, there, strict=True):
        losses = [[point.refined_log_loss for point in report.points] for report in (one, other)]
        assert losses[1] == pytest.approx(losses[0], abs=1e-9)
        assert [p.epoch for p in one.points] == [p.epoch for p in other.points]


def test_spare_stops_candidates_in_all_workers(
    job: Job, mixed: list[Candidate], two: ProcessCrew
) -> None:
    longer = replace(job, config=replace(job.config, max_epochs=4000, patience=4000))
    asked: list[list[int]] = []

    def spare(report: EpochReport, alive: Sequence[int]) -> list[int]:
        asked.append(list(alive))
        return [0, 5] if report.epoch < 3 else list(alive)

    found = outcomes(executor(two), Work((longer,), tuple(mixed)), spare=spare)
    assert {outcome.report.state for outcome in found} == {"stopped"}
    # A worker is told while it trains, and stops after the epoch.
    assert max(outcome.report.epochs for outcome in found) < 4000
    assert asked[0] == [0, 1, 2, 3, 4, 5]
    assert {0, 5}.isdisjoint(asked[1])


def test_the_seconds_left_stop_all_workers(
    job: Job, mixed: list[Candidate], two: ProcessCrew
) -> None:
    longer = replace(job, config=replace(job.config, max_epochs=10_000, patience=10_000))
    outcomes(executor(two), Work((job,), tuple(mixed)))
    started = time.monotonic()
    found = outcomes(executor(two), Work((longer,), tuple(mixed), seconds=1.0))
    assert time.monotonic() - started < PATIENCE_SECONDS
    assert {outcome.report.state for outcome in found} == {"stopped"}


def test_a_killed_worker_is_replaced_and_its_candidates_train_again(
    job: Job, mixed: list[Candidate]
) -> None:
    work = Work((job,), tuple(mixed))
    here = outcomes(LocalExecutor(together=6), work)
    with ProcessCrew() as crew:
        crew.begin(Staffing(2, ""))
        first = crew.pids
        killed: list[int] = []

        def kill(report: EpochReport) -> None:
            if not killed:
                killed.append(crew.pids[1])
                os.kill(killed[0], signal.SIGTERM)

        found = outcomes(executor(crew, on_epoch=kill), work)
        # The worker may have trained its share before the signal, and then dies idle.
        again = outcomes(executor(crew), work)
        assert crew.pids[0] == first[0]
        assert crew.pids[1] != first[1]
        assert_equal(found, here)
        assert_equal(again, here)


def test_a_worker_that_dies_twice_is_one_clear_error(job: Job, mixed: list[Candidate]) -> None:
    longer = replace(job, config=replace(job.config, max_epochs=100_000, patience=100_000))
    with ProcessCrew() as crew:
        crew.begin(Staffing(2, ""))
        kill: list[int] = []

        def on_epoch(report: EpochReport) -> None:
            if crew.pids[0] not in kill:
                kill.append(crew.pids[0])
                os.kill(kill[-1], signal.SIGTERM)

        with pytest.raises(TrainingError, match=r"2 ended with .*--workers 1"):
            outcomes(executor(crew, on_epoch=on_epoch), Work((longer,), tuple(mixed)))
        assert len(kill) == 2


def test_workers_end_with_the_crew_and_its_files_are_gone(
    job: Job, mixed: list[Candidate]
) -> None:
    before = torch.get_num_threads()
    with ProcessCrew() as crew:
        crew.begin(Staffing(2, ""))
        outcomes(executor(crew), Work((job,), tuple(mixed)))
        pids, folder = crew.pids, crew.data_of((job,)).parent
        assert torch.get_num_threads() == 1
        assert folder.is_dir()
    assert not any(map(is_running, pids))
    assert not folder.exists()
    assert torch.get_num_threads() == before


PROGRAM = """
import sys, time
from autoloss.executors import ProcessCrew, Staffing
# A script without `if __name__ == "__main__"`.
crew = ProcessCrew()
crew.begin(Staffing(2, ""))
print(*crew.pids, crew.data_of([]).parent, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT", "SIGTERM"])
def test_no_worker_outlives_the_search(name: str) -> None:
    if not hasattr(signal, name):
        pytest.skip(f"this system has no {name}")
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as search:
        assert search.stdout is not None
        *pids, folder = search.stdout.readline().decode().split()
        search.send_signal(getattr(signal, name))
    assert awaited(lambda: not any(is_running(int(pid)) for pid in pids))
    assert awaited(lambda: not Path(folder).exists())


def test_an_error_in_a_worker_is_the_error_of_the_search(
    job: Job, mixed: list[Candidate], two: ProcessCrew
) -> None:
    # The second division is missing.
    work = Work((job,), tuple(replace(candidate, fold=1) for candidate in mixed))
    with pytest.raises(IndexError):
        outcomes(executor(two), work)


def test_data_that_cannot_be_sent_train_in_this_process(job: Job, mixed: list[Candidate]) -> None:
    local = replace(job, network=Unsendable(job.network))
    said: list[str] = []
    with ProcessCrew() as crew:
        crew.begin(Staffing(2, ""))
        work = Work((local,), tuple(mixed))
        with pytest.raises(UnsendableError):
            crew.data_of(work.jobs)
        found = outcomes(executor(crew, on_local=said.append), work)
    assert_equal(found, outcomes(LocalExecutor(together=6), work))
    assert len(said) == 1


class Unsendable:
    """A network that holds something that no pickle can."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self.function = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_network"], name)


def test_a_worker_halves_a_population_that_the_memory_does_not_hold(
    job: Job, mixed: list[Candidate], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    torch.save((job,), tmp_path / "data")
    step, sink = Population.step, io.BytesIO()

    def narrow(self: Population, *args: Any, **more: Any) -> Any:
        if len(self) > 3:
            raise MemoryError
        return step(self, *args, **more)

    here = outcomes(LocalExecutor(together=6), Work((job,), tuple(mixed)))
    monkeypatch.setattr(Population, "step", narrow)
    source = io.BytesIO()
    write(source, Setup((), tmp_path))
    source.seek(0)
    share = Share(tmp_path / "data", tuple(mixed), None, True)
    worker = Worker(StreamLink(source, sink))
    done = worker._answer(share)
    assert isinstance(done, Done)
    messages = written(sink)
    assert Halved(3) in messages
    ended = {
        one.place: replace(one.outcome, weights=worker._weights[one.key])
        for one in messages
        if isinstance(one, Ended)
    }
    assert_equal([ended[place] for place in range(len(mixed))], here)


def written(stream: io.BytesIO) -> list[Any]:
    """Return the messages in a stream."""
    stream.seek(0)
    messages = []
    while stream.tell() < len(stream.getbuffer()):
        messages.append(read(stream))
    return messages


def test_parts_are_even_and_whole() -> None:
    for total in range(1, 12):
        for count in range(1, 6):
            parts = parts_of(total, [1] * count)
            assert [place for part in parts for place in part] == list(range(total))
            sizes = set(map(len, parts))
            assert min(sizes) > 0
            assert max(sizes) - min(sizes) <= 1
