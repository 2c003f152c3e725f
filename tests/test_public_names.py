"""`dir` lists the public names of the package."""

from __future__ import annotations

import importlib
import subprocess
import sys

import autoloss


def test_dir_lists_the_public_names_alone() -> None:
    importlib.import_module("autoloss.search")
    assert dir(autoloss) == sorted([*autoloss.__all__, "__version__"])
    assert all(getattr(autoloss, name) is not None for name in dir(autoloss))


def test_names_of_losses_do_not_depend_on_the_order_of_imports() -> None:
    code = (
        "import autoloss.losses.declare, autoloss\n"
        "from autoloss.losses import declare\n"
        "assert callable(declare) and autoloss.losses.declare is declare\n"
        "assert sorted(autoloss.losses.__all__) == dir(autoloss.losses)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
