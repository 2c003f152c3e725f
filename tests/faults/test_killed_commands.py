"""Killed commands leave the old files, or all of the new files."""

from __future__ import annotations

import hashlib
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_iris

from autoloss.report.words import count_text
from autoloss.search.folders import read_finished
from tests.faults.counts import count, times
from tests.faults.programs import Signal

pytestmark = pytest.mark.faults
WRITERS = {
    "export to code": ("export", "s", "--to", "code", "-o", "made.py"),
    "export to onnx": ("export", "s", "--to", "onnx", "-o", "made.onnx"),
    "predict to csv": ("predict", "s", "iris.csv", "-o", "made.csv"),
    "predict to parquet": ("predict", "s", "iris.csv", "-o", "made.parquet"),
    "diagnose": ("diagnose", "s", "iris.csv", "-o", "made.html"),
}
USUAL = ("export to code",)


@pytest.fixture
def study(unharmed, place) -> Path:
    """Return a copy of the study that ran through, beside the rows of iris."""
    folder = place / "reports" / "s"
    shutil.copytree(unharmed.folder, folder)
    iris = load_iris(as_frame=True)
    names = iris.target_names[iris.target]
    iris.data.assign(target=names).to_csv(place / "iris.csv", index=False)
    return folder


def made_in(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.glob("made.*")}


@pytest.mark.parametrize(
    "name",
    [name if name in USUAL else pytest.param(name, marks=pytest.mark.slow) for name in WRITERS],
)
def test_a_killed_command_leaves_a_whole_file_or_none(programs, study, place, name):
    words, draw = WRITERS[name], random.Random(0)
    end = programs.run(*words, folder=place)
    assert end.code == 0, end.text
    whole, killed = made_in(place), 0
    assert whole
    for tried in range(times(20, few=1)):
        for path in place.glob("*made.*"):
            path.unlink()
        harm: dict[str, Any] = {"hooks": [("die_at_write", {"number": 1 + tried % end.writes})]}
        if tried % 2:
            harm = {"signals": [Signal("SIGKILL", draw.uniform(0, end.seconds))]}
        killed += programs.run(*words, folder=place, **harm).was_killed
        assert made_in(place).items() <= whole.items()
        assert programs.run(*words, folder=place).code == 0
        assert made_in(place) == whole
    assert killed
    count(f"SIGKILL, {name}", tried=killed, remark="a whole file or none")


@pytest.mark.slow
@pytest.mark.parametrize("name", [*WRITERS, "export to torch"])
def test_a_command_on_a_full_disk_is_one_line_and_leaves_no_file(programs, study, place, name):
    torch = ("export", "s", "--to", "torch", "-o", "made.pt2")
    words = {**WRITERS, "export to torch": torch}[name]
    # Its output fits.
    end = programs.run(*words, folder=place, hooks=[("limit_files", {"size": 1_500})])
    assert end.code == 2, end.text
    (line,) = end.lines
    assert "must be writable" in line
    assert end.text.count("\n") == 1
    assert made_in(place) == {}
    assert not list(place.glob(".*.part"))
    count("a full disk, commands that write a file", tried=len(WRITERS) + 1, remark="one line")


def state_of(folder: Path) -> dict[str, Any]:
    """Return the shipped model, as a command reads it: the trial, its model and its loss."""
    _, summary = read_finished(folder, out=folder.parent)
    page = (folder / "report.html").read_text(encoding="utf-8")
    return {
        "recommended": summary.recommended,
        "shipping": summary.shipping,
        "choices": [one.number for one in summary.choices],
        "is on the page": [one.reason in page for one in summary.choices],
        "loss": (folder / "loss.py").read_text(encoding="utf-8"),
        "model": [
            hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((folder / "model").iterdir())
        ],
    }


def test_a_killed_select_ships_the_old_trial_or_the_new_one(programs, study, unharmed, place):
    before = state_of(study)
    finalists = [int(path.name) for path in (study / "finalists").iterdir()]
    other = next(number for number in finalists if number != before["recommended"])
    words = ("select", "s", "--trial", str(other), "--because", "a person's reason")
    end = programs.run(*words, folder=place)
    assert end.code == 0, end.text
    after = state_of(study)
    assert after["recommended"] == other
    assert before["model"] != after["model"]
    draw, found = random.Random(0), {"old": 0, "new": 0}
    for tried in range(times(60, few=2)):
        shutil.rmtree(study)
        shutil.copytree(unharmed.folder, study)
        # The last writes are those that make the new trial the winner.
        number = draw.randint(1, end.writes) if tried % 2 else end.writes - draw.randrange(12)
        harm = {"hooks": [("die_at_write", {"number": number})]}
        assert programs.run(*words, folder=place, **harm).was_killed
        state = state_of(study)
        assert state in (before, after), number
        found["new" if state == after else "old"] += 1
        assert programs.run(*words, folder=place).code == 0
        assert state_of(study) == after
    kills, remark = sum(found.values()), f"the old trial {found['old']} times, else the new one"
    count("SIGKILL, select", tried=kills, remark=remark)


@pytest.mark.slow
@pytest.mark.parametrize(("signal", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_any_command_in_one_line(programs, study, place, signal, code):
    finalist = min(int(path.name) for path in (study / "finalists").iterdir())
    commands = {
        **WRITERS,
        "select": ("select", "s", "--trial", str(finalist)),
        "report": ("report", "s"),
        "losses": ("losses",),
        "resume": ("resume", "s"),
    }
    draw, found = random.Random(0), {"interrupted": 0, "done": 0, "lost": 0}
    for words in commands.values():
        end = programs.run(*words, folder=place)
        assert end.code == 0, end.text
        whole = made_in(place)
        for _ in range(times(10, few=1)):
            for name in made_in(place):
                (place / name).unlink()
            seconds = end.seconds - end.lengths["ending"]
            sent = [Signal(signal, draw.uniform(0, seconds), "starting")]
            harmed = programs.run(*words, folder=place, signals=sent)
            assert made_in(place).items() <= whole.items()
            assert not list(place.glob(".*.part"))
            if "autoloss: interrupted." in harmed.lines:
                assert "Traceback" not in harmed.text
                assert as_a_shell(harmed.code) == code
                assert harmed.lines[-1] == "autoloss: interrupted."
                assert harmed.lines.count("autoloss: interrupted.") == 1
                found["interrupted"] += 1
            elif "Exception ignored" in harmed.text or harmed.code == 2:
                # Code in C of torch or pyarrow ignores an interrupt, or turns it into an error.
                assert made_in(place) == ({} if harmed.code else whole)
                found["lost"] += 1
            else:
                # Its work was done.
                assert as_a_shell(harmed.code) in (0, code)
                assert "Traceback" not in harmed.text
                assert made_in(place) == whole
                found["done"] += 1
        for name in made_in(place):
            (place / name).unlink()
    assert found["interrupted"] > found["done"] + found["lost"]
    lost = found["lost"]
    remark = f"one line and exit code {code} ({count_text(found['interrupted'], 'time')})"
    remark += f"; code in C lost the signal ({count_text(lost, 'time')})" if lost else ""
    count(f"{signal}, each command", tried=sum(found.values()), failed=lost, remark=remark)


def as_a_shell(code: int) -> int:
    """Return the exit code that a shell shows; a negative one is a signal."""
    return code if code >= 0 else 128 - code
