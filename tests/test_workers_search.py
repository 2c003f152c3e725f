"""A search in worker processes: the same trials and the same result, however many there are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import autoloss
from autoloss.core.errors import InputError
from autoloss.executors import ProcessExecutor
from tests.spaces import SMALL

FOLDED = SMALL.replace("folds = 1", "folds = 3").replace("together = 8", "together = 12")
NESTED = SMALL.replace("outer_folds = 0", "outer_folds = 2\nouter_repeats = 1")
ENDLESS = FOLDED.replace("max_epochs = 4", "max_epochs = 9999").replace(
    "patience = 2", "patience = 9999"
)
LOSS = '''
from autoloss.losses import declare


@declare(source="nobody", use="never", family="proper", proper=True, local=True)
def doubled(log_p):
    """Cross-entropy, in nats per example. ``L = - log p``, `p` that of the true class."""
    return -log_p
'''


def search(folder: Path, workers: Any, text: str = FOLDED, **more: Any) -> autoloss.SearchResult:
    space = folder / "space.toml"
    space.write_text(text, encoding="utf-8")
    return autoloss.search(
        "sklearn:iris",
        space=space,
        workers=workers,
        name=f"w{workers}",
        out=folder,
        track="off",
        **{"trials": 12, **more},
    )


def facts(result: autoloss.SearchResult) -> list[Any]:
    """Return the results that must not depend on the number of workers."""
    return [
        (trial.number, trial.loss, trial.nuisance, trial.state, len(trial.curve))
        for trial in result.summary.trials
    ]


@pytest.mark.parametrize("text", [FOLDED, NESTED], ids=["folded", "nested"])
def test_the_result_does_not_depend_on_the_number_of_workers(text: str, tmp_path: Path) -> None:
    one, two, three = (search(tmp_path, workers, text) for workers in (1, 2, 3))
    for other in (two, three):
        assert facts(other) == facts(one)
        assert other.verdict.decision == one.verdict.decision
        assert other.summary.recommended == one.summary.recommended
        for trial, same in zip(other.summary.trials, one.summary.trials, strict=True):
            assert trial.metrics == pytest.approx(same.metrics, rel=1e-6, abs=1e-9)


def test_a_loss_from_a_file_trains_in_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(LOSS, encoding="utf-8")
    submitted: list[int] = []
    submit = ProcessExecutor.submit

    def counted(self: ProcessExecutor, work: Any, **more: Any) -> Any:
        submitted.append(len(work.candidates))
        return submit(self, work, **more)

    monkeypatch.setattr(ProcessExecutor, "submit", counted)
    result = search(tmp_path, 2, losses=file)
    assert submitted
    assert any(trial.loss["base"] == "doubled" for trial in result.summary.trials)


def test_a_time_limit_holds_in_workers(tmp_path: Path) -> None:
    started = time.monotonic()
    result = search(tmp_path, 2, ENDLESS, time_limit=25)
    assert time.monotonic() - started < 65.0
    assert result.summary.trials


def test_a_refused_search_leaves_no_process(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        search(tmp_path, 2, target="nowhere")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals")
def test_ctrl_c_ends_the_search_and_its_workers(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text(ENDLESS, encoding="utf-8")
    words = ["search", "sklearn:iris", "--space", "space.toml", "--workers", "2", "--track", "off"]
    with subprocess.Popen(
        [sys.executable, "-m", "autoloss", *words, "--name", "stopped"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as program:
        assert program.stderr is not None
        while b"Searching" not in (line := program.stderr.readline()):
            assert line
        # As a terminal does: to all processes.
        os.killpg(program.pid, signal.SIGINT)
        program.stderr.read()
        assert program.wait(60) == 130
        # None is left that the group could take a signal to.
        with pytest.raises(ProcessLookupError):
            os.killpg(program.pid, 0)


def test_a_race_does_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    text = FOLDED.replace("max_epochs = 4", "max_epochs = 8") + "racing = true\n"
    one, two = (search(tmp_path, workers, text, trials=24) for workers in (1, 2))
    assert facts(two) == facts(one)
    assert {trial.state for trial in one.summary.trials} == {"complete", "pruned"}
