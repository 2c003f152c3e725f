from __future__ import annotations

import errno
import json
import os
import tomllib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from autoloss.losses import LossSpec
from autoloss.readout import Readout
from autoloss.report import write_report
from autoloss.verdict.rules import RULES, select_trial
from tests.report.summaries import make_summary

SUMMARY = make_summary()
WIDE = {"COLUMNS": "200"}


@pytest.fixture
def there(tmp_path, monkeypatch) -> Path:
    """A folder with the finished study churn below reports."""
    monkeypatch.chdir(tmp_path)
    write_report(SUMMARY, tmp_path / "reports" / "churn")
    return tmp_path


@pytest.mark.parametrize("rule", ["error", "log_loss", "calibration", "balanced_error", "knee"])
def test_the_sentence_the_trial_and_its_settings_are_shown(there, run, rule) -> None:
    chosen = select_trial(SUMMARY, rule)
    result = run("select", "churn", "--by", rule, "--dry-run", env=WIDE)
    assert result.exit_code == 0, result.stderr
    assert RULES[rule] in result.stdout
    assert f"Trial  {chosen.number}" in result.stdout
    assert chosen.label in result.stdout
    assert (
        f"autoloss select churn --trial {chosen.number} --dry-run --source loss.py"
        in result.stdout
    )
    assert f"autoloss select churn --trial {chosen.number}\n" in result.stdout
    lines = result.stdout.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("base = "))
    read = tomllib.loads("\n".join(lines[start : lines.index("", start)]))
    assert read["base"] == chosen.family
    assert read["lr"] == chosen.nuisance["lr"]


def test_its_figures_stand_beside_those_of_what_ships(there, run) -> None:
    other = next(t for t in SUMMARY.trials if t.metrics and t.number != SUMMARY.recommended)
    text = run("select", "churn", "--trial", other.number, "--dry-run", env=WIDE).stdout
    header = next(line for line in text.splitlines() if "This trial" in line)
    assert "Ships now" in header
    (error,) = (line.split() for line in text.splitlines() if line.startswith("Error "))
    ships = SUMMARY.trial(SUMMARY.recommended)
    values = [f"{100 * t.metrics['error']:.2f}%" for t in (other, ships)]
    assert error == ["Error", *values]
    own = run("select", "churn", "--trial", SUMMARY.recommended, env=WIDE).stdout
    assert "Ships now" not in own
    assert f"{SUMMARY.recommended} (ships)" in own


def test_json_is_one_document(there, run) -> None:
    chosen = select_trial(SUMMARY, "knee")
    result = run("select", "churn", "--by", "knee", "--json", "--dry-run")
    document = json.loads(result.stdout)
    assert document["schema_version"] == 1
    assert document["study"] == "churn"
    assert document["rule"] == "knee"
    assert document["sentence"] == RULES["knee"]
    assert document["trial"]["number"] == chosen.number
    assert document["trial"]["loss"] == chosen.loss
    assert tomllib.loads(document["toml"])["base"] == chosen.family
    assert document["source"] is None
    assert document["is_recommended"] is (chosen.number == SUMMARY.recommended)


def test_source_is_the_loss_as_code_with_its_settings(there, run) -> None:
    chosen = select_trial(SUMMARY, "error")
    result = run("select", "churn", "--by", "error", "--dry-run", "--source", "mine.py")
    assert result.exit_code == 0, result.stderr
    assert "mine.py" in result.stderr
    assert "--source" not in result.stdout
    code = Path("mine.py").read_text(encoding="utf-8")
    assert "import torch" in code
    assert "import autoloss" not in code
    assert f"{chosen.nuisance['lr']:.3g}"[:4] in code
    compile(code, "mine.py", "exec")


def test_a_full_disk_keeps_the_code_that_is_there(there, run, monkeypatch) -> None:
    def refuse(self: Path, *rest: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (there / "mine.py").write_text("old")
    for name in ("write_bytes", "write_text"):
        monkeypatch.setattr(Path, name, refuse)
    result = run("select", "churn", "--by", "error", "--dry-run", "--source", "mine.py")
    assert result.exit_code == 2
    assert result.stderr.endswith("'mine.py': No space left on device.\n")
    assert (there / "mine.py").read_text() == "old"
    assert [path.name for path in there.iterdir() if path.suffix == ".part"] == []


def test_source_of_what_ships_has_the_read_out_of_the_model(there, run, monkeypatch) -> None:
    ships = SUMMARY.trial(SUMMARY.recommended)
    (there / "reports/churn/model").mkdir()
    readout = Readout("softmax", 0.125, 0.0, LossSpec.from_dict(ships.loss))
    model = SimpleNamespace(members=[SimpleNamespace(readout=readout)])
    monkeypatch.setattr("autoloss.inference.loading.read_model", lambda folder, **how: model)
    words = ["select", "churn", "--dry-run", "--trial"]
    assert run(*words, ships.number, "--source", "mine.py").exit_code == 0
    assert "TEMPERATURE = 8.0\n" in Path("mine.py").read_text(encoding="utf-8")
    other = next(t for t in SUMMARY.trials if t.metrics and t.number != ships.number)
    assert run(*words, other.number, "--source", "o.py").exit_code == 0
    assert "TEMPERATURE = 8.0\n" not in Path("o.py").read_text(encoding="utf-8")


def test_a_study_elsewhere_is_named_in_the_command_that_follows(there, run) -> None:
    write_report(replace(SUMMARY, name="other"), there / "there" / "other")
    words = ["--by", "error", "--dry-run"]
    text = run("select", "other", *words, "--out", "there", env=WIDE).stdout
    assert "--source loss.py --out there" in text
    assert run("select", "there/other", *words).exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["churn"],
            "--by RULE, --trial N and --from-dashboard, but got neither; the rules are",
        ),
        (["churn", "--by", "error", "--trial", "1"], "but got both"),
        (["churn", "--by", "eror"], "did you mean 'error'?"),
        (["churn", "--by", "cost"], "cost_matrix=None"),
        (["churn", "--trial", "9999"], "number=9999"),
        (["chrn", "--by", "error"], "STUDY='chrn'"),
        (["churn", "--by", "error", "--source", "nowhere/loss.py"], "FILE must be writable"),
    ],
)
def test_a_mistake_is_one_line(there, run, words, said) -> None:
    result = run("select", *words)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert said in line
    assert result.stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        ("--because", "it is simpler"),
        ("--register", "churn"),
        ("--tracking-uri", "http://host:5000"),
    ],
)
def test_what_only_a_shipping_does_is_not_ignored_without_one(there, run, words) -> None:
    result = run("select", "churn", "--by", "error", "--dry-run", *words)
    assert result.exit_code == 2
    assert f"{words[0]} must stand without --dry-run" in result.stderr


def test_the_dashboard_and_an_option_cannot_both_name_the_trial(there, run) -> None:
    result = run("select", "churn", "--from-dashboard", "--trial", "3")
    assert result.exit_code == 2
    assert "--from-dashboard must stand without" in result.stderr


@pytest.mark.parametrize("as_json", [False, True])
def test_a_trial_ships_with_its_reason_and_is_shown_as_what_ships(
    there, run, api, as_json
) -> None:
    other = next(t for t in SUMMARY.trials if t.metrics and t.number != SUMMARY.recommended)
    calls = []

    def ship(*args, **kwargs):
        calls.append((args, kwargs))
        return SimpleNamespace(summary=replace(SUMMARY, recommended=other.number))

    api.ship = ship
    words = ["select", "churn", "--trial", other.number, "--because", "simpler"]
    result = run(*words, *(["--json"] if as_json else []), env=WIDE)
    assert result.exit_code == 0, result.stderr
    ((folder, rule), options) = calls[0]
    assert (Path(folder).name, rule) == ("churn", other.number)
    assert options["reason"] == "simpler"
    assert f"trial {other.number} ({other.label}) ships now" in result.stderr
    if as_json:
        assert json.loads(result.stdout)["is_recommended"] is True
    else:
        assert f"{other.number} (ships)" in result.stdout
        assert "Shipped before" in result.stdout
        assert "To ship it" not in result.stdout


def test_a_study_that_was_trained_elsewhere_changes_its_winner_too(there, run) -> None:
    other = next(t for t in SUMMARY.trials if t.metrics and t.number != SUMMARY.recommended)
    result = run("select", "churn", "--trial", other.number)
    assert result.exit_code == 0, result.stderr
    written = json.loads((there / "reports" / "churn" / "summary.json").read_text())
    assert written["recommended"] == other.number
    assert written["choices"][0]["before"] == SUMMARY.recommended


def files_of(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {
        one: (one.read_bytes(), one.stat().st_mtime_ns)
        for one in folder.rglob("*")
        if one.is_file()
    }


@pytest.mark.parametrize("rule", [*RULES, "from the dashboard"])
def test_a_dry_run_writes_nothing_but_the_code_it_is_asked_for(there, run, monkeypatch, rule):
    other = next(t for t in SUMMARY.trials if t.metrics and t.number != SUMMARY.recommended)
    wish = SimpleNamespace(number=other.number, reason="")
    monkeypatch.setattr("autoloss.tracking.read_chosen_trial", lambda folder, uri: wish)
    named = ["--by", rule] if rule in RULES else ["--from-dashboard"]
    before = files_of(there)
    result = run("select", "churn", *named, "--dry-run", "--source", "mine.py")
    assert result.exit_code == (2 if rule == "cost" else 0)
    left = files_of(there)
    left.pop(there / "mine.py", None)
    assert left == before


def test_what_ships_already_changes_nothing_and_says_so(there, run) -> None:
    before = files_of(there)
    words = ["select", "churn", "--trial", SUMMARY.recommended]
    result = run(*words, "--because", "it is good")
    assert result.exit_code == 0, result.stderr
    assert "ships already, nothing changed; the reason is not recorded" in result.stderr
    assert files_of(there) == before


def test_a_mistake_changes_nothing(there, run) -> None:
    before = files_of(there)
    other = next(t for t in SUMMARY.trials if t.metrics and t.number != SUMMARY.recommended)
    result = run("select", "churn", "--trial", other.number, "--source", "nowhere/loss.py")
    assert result.exit_code == 2
    assert files_of(there) == before


def test_quiet_leaves_one_line(there, run) -> None:
    other = next(t for t in SUMMARY.trials if t.metrics and t.number != SUMMARY.recommended)
    result = run("select", "churn", "--trial", other.number, "--quiet")
    assert result.stdout == f"trial {other.number}: {other.label}\n"
    assert result.stderr == ""
