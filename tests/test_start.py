from __future__ import annotations

import subprocess
import sys


def test_a_search_starts_without_libraries_that_only_its_end_needs() -> None:
    program = (
        "import sys, autoloss.api; "
        "late = {'scipy.stats', 'scipy.optimize', 'sklearn', 'mlflow', 'matplotlib'}; "
        "print(sorted(late & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
