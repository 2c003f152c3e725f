from __future__ import annotations

from pathlib import Path

from autoloss.core.errors import StudyNotFoundError


def test_resume_reaches_the_study_and_shows_its_end(api, run) -> None:
    words = ["--out", "there", "--storage", "sqlite:///s.db", "--losses", "mine.py"]
    words += ["--model", "net.py:make", "--executor", "ray", "--address", "head:6379"]
    result = run("resume", "churn", *words)
    assert result.exit_code == 0, result.stderr
    ((name, args, kwargs),) = api.calls
    del kwargs["progress"]
    assert (name, args) == ("resume", ("churn",))
    assert kwargs == {
        "out": Path("there"),
        "storage": "sqlite:///s.db",
        "losses": (Path("mine.py"),),
        "metrics": (),
        "model": "net.py:make",
        "judge_now": False,
        "executor": "ray",
        "address": "head:6379",
    }
    assert "Shipped model" in result.stdout
    assert str(Path("there/churn/model")) in result.stdout


def test_a_study_that_is_named_by_its_folder_is_shown_there(api, run) -> None:
    result = run("resume", str(Path("there/churn")))
    assert str(Path("there/churn/model")) in result.stdout
    assert "reports" not in result.stdout


def test_interrupted_again(api, run) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    api.during = stop
    result = run("resume", "churn", "--storage", "sqlite:///s.db")
    assert result.exit_code == 130
    assert "autoloss resume churn --storage sqlite:///s.db" in result.stderr


def test_a_study_that_is_not_there(api, run) -> None:
    def fail() -> None:
        raise StudyNotFoundError("STUDY must be a study, but got STUDY='mien'.")

    api.during = fail
    assert run("resume", "mien").exit_code == 2


def test_runs_that_are_still_missing_in_mlflow_are_a_failure(api, run) -> None:
    api.unwritten = "3 runs are not in MLflow yet: the disk is full."
    result = run("resume", "churn")
    assert result.exit_code == 1
    assert "Shipped model" in result.stdout
    # Who is quiet has no note of it.
    quiet = run("resume", "churn", "--quiet")
    assert quiet.exit_code == 1
    assert quiet.stderr == "autoloss: 3 runs are not in MLflow yet: the disk is full.\n"
