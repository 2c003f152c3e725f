"""The page on one's own training is right: its scripts run, each in its own process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.spaces import SMALL

PAGE = Path(__file__).parents[1] / "docs" / "own-training.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# The reader's run takes minutes; the test runs the same with a smaller budget.
SMALLER = {
    "trials=64": 'trials=5, space="small.toml", track="off"',
    "trials=48": "trials=4",
    "num_train_epochs=3": "num_train_epochs=1",
    "max_epochs=10": "max_epochs=1",
    "range(10)": "range(1)",
    "digits.images": "digits.images[:400]",
    "digits.target": "digits.target[:400]",
}
NEEDED: dict[str, tuple[str, ...]] = {
    "train.py": (),
    "trainer.py": ("transformers", "accelerate"),
    "lit.py": ("lightning",),
}


def scripts() -> dict[str, str]:
    """Return the scripts of the page by their names; a block without a name goes on with the
    script before it."""
    found: dict[str, str] = {}
    name = ""
    for body in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if named := re.match(r"# (\w+\.py)\n", body):
            name = named[1]
        found[name] = found.get(name, "") + body
    return found


def test_the_test_knows_all_scripts() -> None:
    assert sorted(scripts()) == sorted(NEEDED)


def test_a_search_takes_ten_lines() -> None:
    _, search, *_ = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len([line for line in search.splitlines() if line]) <= 10


@pytest.mark.parametrize("name", NEEDED)
def test_a_script_of_the_page_runs(name: str, tmp_path: Path) -> None:
    if missing := [one for one in NEEDED[name] if find_spec(one) is None]:
        pytest.skip(f"needs {' and '.join(missing)}: pip install 'autoloss[trainers]'")
    text = scripts()[name]
    for one, other in SMALLER.items():
        text = text.replace(one, other)
    (tmp_path / "small.toml").write_text(SMALL, encoding="utf-8")
    (tmp_path / name).write_text(text, encoding="utf-8")
    root = str(PAGE.parents[1])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, name],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "cross-entropy" in done.stdout
