"""Whatever a search with secrets in its addresses and environment writes is free of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.spaces import SMALL

PLANTED = {
    "MLFLOW_TRACKING_TOKEN": "planted-token",
    "MLFLOW_TRACKING_PASSWORD": "planted-password",
    "AWS_SECRET_ACCESS_KEY": "planted-key",
}
SERVER = "http://me:planted-one@127.0.0.1:1/mlflow?token=planted-two"
DATABASE = "sqlite:///{}?password=planted-three"

OWN = """
import os
from pathlib import Path
from autoloss.losses import declare

@declare(source="this test", local=True)
def crashing(log_p):
    "A loss that fails in the middle of a search."
    if list(Path("reports").glob("*/study.json")):
        token = os.environ["MLFLOW_TRACKING_TOKEN"]
        raise RuntimeError(f"{token} is refused by postgresql://me:planted-four@host/db")
    return -log_p
"""


COMPLETED = {
    "resume --out s ": "wine",
    "select wine --by ": "log_loss",
    "search sklearn:w": "sklearn:wine",
    "search data.csv --storage ": "",
    "join wine --out s --storage ": "",
}
"""Command lines that the user completes, and a word that the shell is then shown."""


def run(folder: Path, *words: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, **PLANTED, "TMPDIR": str(folder), **variables},
        capture_output=True,
        text=True,
    )
    return f"exit code {done.returncode}\n{done.stdout}{done.stderr}"


def planted_in(folder: Path) -> list[str]:
    return [
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and b"planted" in file.read_bytes()
    ]


@pytest.mark.parametrize("tracking", [SERVER, "sqlite:///mlflow.db"])
def test_a_search_writes_no_secret(tmp_path: Path, tracking: str) -> None:
    (tmp_path / "small.toml").write_text(SMALL, encoding="utf-8")
    search = ["-m", "autoloss", "search", "sklearn:wine", "--space", "small.toml", "--trials", "4"]
    place = ["--out", "s", "--name", "wine", "--tracking-uri", tracking]
    storage = ["--storage", DATABASE.format(tmp_path / "trials.db"), "-v"]
    text = run(tmp_path, *search, *place, *storage)
    assert "exit code 0" in text
    assert "planted" not in text
    summary = (tmp_path / "s" / "wine" / "summary.json").read_text(encoding="utf-8")
    assert "?password=***" in summary
    assert ("http://me:***@127.0.0.1:1" in text) == (tracking == SERVER)
    assert (tmp_path / "mlflow.db").exists() != (tracking == SERVER)
    assert planted_in(tmp_path) == []
    if tracking != SERVER:
        check_completion(tmp_path)


def check_completion(folder: Path) -> None:
    """Check that completion shows words, and no secret of a study or of the environment."""
    for line, word in COMPLETED.items():
        shell = {
            "_AUTOLOSS_COMPLETE": "complete_bash",
            "COMP_WORDS": f"autoloss {line}",
            "COMP_CWORD": str(len(line.split()) + line.endswith(" ")),
        }
        text = run(folder, "-m", "autoloss", **shell)
        assert word in text.split() or not word, text
        assert "Traceback" not in text
        assert "planted" not in text
    assert planted_in(folder) == []


@pytest.mark.faults
@pytest.mark.slow
def test_the_record_of_a_crash_has_no_secret(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    space = SMALL.replace('"brier", "focal"', '"crashing"')
    (tmp_path / "small.toml").write_text(space, encoding="utf-8")
    search = [
        "-m",
        "autoloss",
        "search",
        "sklearn:wine",
        "--space",
        "small.toml",
        "--trials",
        "24",
    ]
    own = ["--trials", "24", "--losses", "own.py", "--workers", "1", "--tracking-uri", SERVER]
    storage = ["--storage", DATABASE.format(tmp_path / "trials.db"), "-v"]
    text = run(tmp_path, *search, *own, *storage)
    assert "exit code 1" in text
    assert "planted" not in text
    (record,) = tmp_path.glob("autoloss-*.log")
    told = record.read_text(encoding="utf-8")
    assert "Traceback" in told
    assert "RuntimeError: *** is refused by postgresql://me:***@host/db" in told
    (tmp_path / "own.py").unlink()
    assert planted_in(tmp_path) == []
