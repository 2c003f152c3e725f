"""The program as it is installed, from a search to its predictions."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.spaces import make_quicker

PROGRAM = shutil.which("autoloss", path=str(Path(sys.executable).parent))
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="autoloss is not installed")


def autoloss(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAM, *words], cwd=cwd, capture_output=True, encoding="utf-8")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("installed")
    (place / "quicker.toml").write_text(make_quicker(), encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def searched(place) -> subprocess.CompletedProcess[str]:
    return autoloss(
        "search", "sklearn:iris", "--space", "quicker.toml", "--trials", "6", "--json", cwd=place
    )


def test_a_search_writes_one_document_and_its_files(searched, place) -> None:
    assert searched.returncode == 0, searched.stderr
    document = json.loads(searched.stdout)
    folder = place / "reports" / "iris"
    assert document == json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert len(document["trials"]) == 6
    assert "Traceback" not in searched.stderr
    assert "Warning" not in searched.stderr


@pytest.mark.slow
def test_a_search_whose_reader_has_left_loses_nothing(place) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = ["search", "sklearn:wine", "--space", "quicker.toml", "--trials", "6", "--json"]
    with os.fdopen(writing, "w") as stdout:
        command = [PROGRAM, *words, "--quiet"]
        done = subprocess.run(
            command, cwd=place, stdout=stdout, stderr=subprocess.PIPE, encoding="utf-8"
        )
    assert (done.returncode, done.stderr) == (0, "")
    folder = place / "reports" / "wine"
    assert len(json.loads((folder / "summary.json").read_text(encoding="utf-8"))["trials"]) == 6
    assert {"report.html", "model"} <= {path.name for path in folder.iterdir()}


def test_the_same_name_again_overwrites_nothing(searched, place) -> None:
    files = {path: path.read_bytes() for path in (place / "reports").rglob("*") if path.is_file()}
    again = autoloss("search", "sklearn:iris", "--name", "iris", cwd=place)
    assert again.returncode == 2
    assert len(again.stderr.splitlines()) == 1
    assert files == {path: path.read_bytes() for path in files}


def test_the_study_is_listed_and_resumed_and_predicts(searched, place) -> None:
    assert "6/6" in autoloss("list", cwd=place).stdout
    resumed = autoloss("resume", "iris", cwd=place)
    assert resumed.returncode == 0, resumed.stderr
    assert "Shipped model" in resumed.stdout
    done = autoloss("predict", "iris", "sklearn:iris", "-o", "out.parquet", cwd=place)
    assert done.returncode == 0, done.stderr
    table = pd.read_parquet(place / "out.parquet")
    assert len(table) == 150
    assert table.filter(like="probability_").sum(axis=1).sub(1).abs().max() < 1e-9


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal for a child")
def test_an_interrupted_search_is_kept_and_goes_on(place) -> None:
    words = ["search", "sklearn:digits", "--space", "quick", "--trials", "33", "--name", "cut"]
    process = subprocess.Popen(
        [PROGRAM, *words], cwd=place, stderr=subprocess.PIPE, encoding="utf-8"
    )
    config = place / "reports" / "cut" / "study.json"
    while not config.is_file() and process.poll() is None:
        time.sleep(0.05)
    time.sleep(2.0)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 130
    assert told.splitlines()[-1].endswith("autoloss resume cut")
    assert "not finished" in autoloss("list", cwd=place).stdout


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("missing.csv", None, ["--target", "y"]),
        ("empty.csv", b"", ["--target", "y"]),
        ("header.csv", b"a,y\n", ["--target", "y"]),
        ("binary.csv", b"PK\x03\x04\x00\x00\x01\x02", ["--target", "y"]),
        ("one.csv", b"a,y\n1,x\n2,x\n3,x\n", ["--target", "y"]),
        ("gone.csv", b"a,y\n1,\n2,\n3,\n", ["--target", "y"]),
        ("rows.csv", b"a,y\n1,x\n2,z\n" * 20, ["--target", "why"]),
        ("rows.csv", b"a,y\n1,x\n2,z\n" * 20, ["--target", "y", "--space", "qick"]),
        ("rows.csv", b"a,y\n1,x\n2,z\n" * 20, ["--target", "y", "--metric", "eror"]),
        ("rows.csv", b"a,y\n1,x\n2,z\n" * 20, ["--target", "y", "--device", "toaster"]),
        ("rows.csv", b"a,y\n1,x\n2,z\n" * 20, ["--target", "y", "--name", "a/b"]),
        ("rows.csv", b"a,y\n1,x\n2,z\n" * 20, ["--target", "y", "--out", "rows.csv"]),
        ("rows.csv", b"a,y\n1,x\n2,z\n" * 20, ["--target", "y", "--tracking-uri", "nowhere"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_is_one_line(run, tmp_path, monkeypatch, file, content, words) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path(file).write_bytes(content)
    result = run("search", file, "--trials", "4", *words)
    assert result.exit_code == 2, result.stderr
    assert result.stdout == ""
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("autoloss: ")]
    assert len(line) < 400
    assert not Path("reports").exists()
