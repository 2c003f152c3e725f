from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from threadpoolctl import threadpool_info

from autoloss.core.errors import InputError
from autoloss.experiment.ahead import Ahead


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout


def test_the_end_of_a_search_finds_its_libraries_loaded() -> None:
    program = (
        "import sys; from autoloss.experiment.ahead import load_ahead; "
        "late = {'optuna.importance', 'scipy.stats', 'sklearn.ensemble'}; "
        "print(sorted(late & set(sys.modules))); "
        "load_ahead().join(); assert load_ahead() is load_ahead(); "
        "print(sorted(late - set(sys.modules)))"
    )
    assert run(program).split() == ["[]", "[]"]


def test_a_library_that_is_missing_is_left_to_the_search() -> None:
    program = (
        "import sys; from autoloss.experiment.ahead import load_ahead; "
        "sys.modules['sklearn.ensemble'] = None; load_ahead().join()"
    )
    assert run(program) == ""


def test_work_is_done_once_whoever_comes_first() -> None:
    calls: list[str] = []

    def work() -> int:
        calls.append(threading.current_thread().name)
        return 7

    early, late = Ahead(work), Ahead(work)
    early.begin()
    early.begin()
    assert early.result() == early.result() == 7
    assert calls == ["autoloss-ahead"]
    assert late.result() == 7
    late.begin()
    assert calls == ["autoloss-ahead", threading.current_thread().name]


def test_an_error_of_the_thread_reaches_the_caller() -> None:
    def work() -> int:
        raise InputError("no")

    early = Ahead(work)
    early.begin()
    with pytest.raises(InputError, match="no"):
        early.result()


def test_the_thread_takes_one_processor() -> None:
    def threads() -> set[int]:
        return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "openmp"}

    early = Ahead(threads)
    early.begin()
    assert early.result() == {1}
