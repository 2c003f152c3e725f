from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from autoloss.core.errors import InputError, SpaceError, StudyExistsError
from autoloss.report import summary_from_json
from tests.report.summaries import make_summary


def test_every_option_reaches_the_search(api, run) -> None:
    result = run(
        "search", "rows.csv", "--target", "y", "--metric", "auroc", "--space", "quick",
        "--trials", 7, "--time-limit", "1h30m", "--test", "t.csv", "--valid", "v.csv",
        "--groups", "g", "--split-by", "day", "--drop", "a", "--drop", "b", "--positive", "yes",
        "--column", "c=number", "--column", "d=text", "--decimal", ",",
        "--date-format", "%d/%m/%y", "--missing", "-", "--missing", "-9", "--classes", "--lock",
        "--seed", 3, "--device", "cpu", "--name", "mine", "--storage", "sqlite:///s.db",
        "--tracking-uri", "http://here", "--track", "pareto", "--register", "best",
        "--class-weights", "w.csv", "--class-similarity", "s.csv", "--teacher", "t",
        "--trust-pickle", "--losses", "one.py", "--losses", "two.py", "--cost-matrix", "c.csv",
        "--out", "there",
        "--model", "net.py:make", "--ship", "best", "--refit", "--workers", 2,
        "--labels-in", "list", "--label-separator", "|", "--label-decision", "f1",
        "--tokens", "words", "--constrained",
        "--images", "photo", "--image-size", "32", "--skip-bad", "--no-examples", "--code-length",
        "--features", "embed.py:vectors", "--executor", "ray", "--address", "head:6379",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    ((name, args, kwargs),) = api.calls
    assert (name, args) == ("search", ("rows.csv",))
    del kwargs["progress"]
    assert kwargs == {
        "target": "y",
        "metric": "auroc",
        "space": "quick",
        "trials": 7,
        "time_limit": 5400.0,
        "test": Path("t.csv"),
        "valid": Path("v.csv"),
        "groups": "g",
        "split_by": "day",
        "drop": ("a", "b"),
        "columns": ("c=number", "d=text"),
        "decimal": ",",
        "date_format": "%d/%m/%y",
        "missing": ("-", "-9"),
        "classes": True,
        "positive": "yes",
        "lock": True,
        "class_weights": Path("w.csv"),
        "class_similarity": Path("s.csv"),
        "cost_matrix": Path("c.csv"),
        "teacher": "t",
        "trust_pickle": True,
        "losses": (Path("one.py"), Path("two.py")),
        "model": "net.py:make",
        "seed": 3,
        "device": "cpu",
        "workers": 2,
        "ship": "best",
        "refit": True,
        "labels_in": "list",
        "label_separator": "|",
        "label_decision": "f1",
        "tokens": "words",
        "constrained": True,
        "images": "photo",
        "image_size": 32,
        "skip_bad": True,
        "code_length": True,
        "examples": False,
        "features": "embed.py:vectors",
        "executor": "ray",
        "address": "head:6379",
        "name": "mine",
        "storage": "sqlite:///s.db",
        "tracking_uri": "http://here",
        "track": "pareto",
        "register": "best",
        "out": Path("there"),
    }


def test_last_screen_says_verdict_then_what_ships_then_figures_then_places(api, run) -> None:
    out = run("search", "rows.csv", env={"COLUMNS": "100"}).stdout
    last = out[out.index("Verdict: ") :]
    starts = [line.split("  ")[0] for line in last.splitlines()]
    order = ["Verdict:", "Shipped model:", "Error", "Model", "Report", "Next"]
    places = [next(i for i, s in enumerate(starts) if s.startswith(word)) for word in order]
    assert places == sorted(places)
    # A line for each metric, and an empty one.
    assert 1 <= places[3] - places[2] - 1 <= 6
    assert "95% interval" in last
    assert str(Path("reports/churn/report.html")) in last
    assert f"autoloss predict {Path('reports/churn/model')}" in last


@pytest.mark.parametrize("decision", ["better", "no_evidence", "worse", "undecided"])
def test_every_verdict_ends_with_success(api, run, decision) -> None:
    api.summary = make_summary(decision=decision)
    assert run("search", "rows.csv").exit_code == 0


@pytest.mark.parametrize(
    ("decision", "code"), [("better", 0), ("no_evidence", 3), ("worse", 3), ("undecided", 3)]
)
def test_fail_unless_better(api, run, decision, code) -> None:
    api.summary = make_summary(decision=decision)
    result = run("search", "rows.csv", "--fail-unless", "better")
    assert result.exit_code == code
    assert "Shipped model" in result.stdout
    assert ("--fail-unless" in result.stderr) == bool(code)


def test_json_is_all_of_standard_output(api, run) -> None:
    api.during = lambda: print("a library that cannot be quiet")
    result = run("search", "rows.csv", "--json")
    assert json.loads(result.stdout)["schema_version"] == api.summary.schema_version
    assert summary_from_json(result.stdout).verdict == api.summary.verdict
    assert "cannot be quiet" in result.stderr
    assert "Searching" in result.stderr


def test_json_and_fail_unless_go_together(api, run) -> None:
    result = run("search", "rows.csv", "--json", "--fail-unless", "better")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["verdict"]["decision"] == "no_evidence"


def test_dry_run_trains_nothing_and_says_what_would_be(api, run) -> None:
    result = run("search", "rows.csv", "--dry-run", env={"COLUMNS": "100"})
    assert [name for name, *_ in api.calls] == ["plan"]
    for text in ("7,617 rows", "locked to test", "focal", "1 min 21 s", "1.30 pp", "too small"):
        assert text in result.stdout


def test_dry_run_as_json(api, run) -> None:
    document = json.loads(run("search", "rows.csv", "--dry-run", "--json").stdout)
    assert document["schema_version"] == 1
    assert document["families"] == ["cross_entropy", "focal"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--name", "a/b"], "study's name must be letters"),
        (["--name", "CON"], "no device of Windows"),
        (["--name", "there"], "study's name must be new"),
        (["--register", "a:b"], "registered model must be without"),
        (["--register", "a", "--track", "off"], "register must go with a study in MLflow"),
        (["--tracking-uri", "nonsense://x"], "racking URI must"),
    ],
)
def test_dry_run_refuses_what_a_search_refuses(api, run, tmp_path, words, said) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "study.json").touch()
    result = run("search", "rows.csv", "--dry-run", "--out", tmp_path, *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert api.calls == []
    assert [one.name for one in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (InputError("target must be a column,\nbut got target='z'."), 1),
        (StudyExistsError("A study named 'mine' is there already: choose another name."), 1),
        (SpaceError(["s.toml: lr: must be a range.", "s.toml: focal.gama: is not known."]), 2),
    ],
)
def test_a_mistake_of_the_user_is_one_line_and_exit_code_2(api, run, error, lines) -> None:
    def fail() -> None:
        raise error

    api.during = fail
    result = run("search", "rows.csv", "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    told = [line for line in result.stderr.splitlines() if line.startswith("autoloss: ")]
    assert len(told) == lines
    assert "Traceback" not in result.stderr


def test_a_failure_of_ours_is_one_line_with_the_place_of_its_log(api, run, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "planted")

    def fail() -> None:
        raise ZeroDivisionError("division planted\nby http://me:planted@host")

    api.during = fail
    result = run("search", "rows.csv")
    assert result.exit_code == 1
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("autoloss: ")]
    log = Path(line.rpartition("full record: ")[2].rstrip(")"))
    text = log.read_text(encoding="utf-8")
    log.unlink()
    assert "ZeroDivisionError: division ***" in line
    assert "by http://me:***@host" in text
    assert "planted" not in line + text
    assert "Traceback" in text
    assert "in fail" in text
    assert "Traceback" not in result.stderr


def test_an_interrupt_keeps_the_study_and_says_how_to_go_on(api, run) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    api.during = stop
    result = run("search", "rows.csv", "--out", "there")
    assert result.exit_code == 130
    assert "autoloss resume churn --out there --judge-now" in result.stderr
    assert result.stderr.endswith("autoloss resume churn --out there\n")
    assert result.stdout == ""


def test_an_interrupt_before_a_study_is_begun_promises_nothing(api, run) -> None:
    def stop(**_: object) -> None:
        raise KeyboardInterrupt

    api.search = lambda *args, **kwargs: stop()
    result = run("search", "rows.csv", "--name", "mine")
    assert result.exit_code == 130
    assert "resume" not in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--trials", "-3"], "--trials"),
        (["--trials", "many"], "--trials"),
        (["--seed", "-1"], "--seed"),
        (["--time-limit", "soon"], "--time-limit"),
        (["--time-limit", "0s"], "--time-limit"),
        (["--trails", "3"], "--trails"),
        (["--fail-unless", "worse"], "--fail-unless"),
    ],
)
def test_a_wrong_option_is_one_line_that_names_it(api, run, words, said) -> None:
    result = run("search", "rows.csv", *words)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("autoloss: ")
    assert said in line
    assert "autoloss search --help" in line
    assert api.calls == []


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(api, run, width) -> None:
    result = run("search", "rows.csv", env={"COLUMNS": str(width)})
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    # Commands to copy are whole, each on its own line.
    copied = ("Model ", "Loss  ", "Report ", "Next ", "Dashboard ")
    shown = [line for line in lines if not line.startswith(copied)]
    assert max(map(len, shown)) <= width
    following = "autoloss predict reports/churn/model NEW.csv -o predictions.csv"
    assert any(line.endswith(following) for line in lines)
    assert "Verdict: " in result.stdout


def test_no_colour_where_the_output_is_no_terminal(api, run) -> None:
    result = run("search", "rows.csv")
    assert "\x1b" not in result.stdout + result.stderr


def test_a_study_without_any_figure_is_shown_too(api, run) -> None:
    api.summary = make_summary(n_trials=3, diverged=3, families=("cross_entropy",))
    result = run("search", "rows.csv")
    assert result.exit_code == 0
    assert "tuned cross-entropy" in result.stdout


def test_progress_does_not_import_what_trains(api, run) -> None:
    before = set(sys.modules)
    assert run("search", "rows.csv").exit_code == 0
    assert not {"torch", "optuna", "mlflow"} & (set(sys.modules) - before)
