from __future__ import annotations

import subprocess
import sys


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
