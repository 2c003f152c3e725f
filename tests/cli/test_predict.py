from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from autoloss.cli.predictions import model_folder

ROWS = pd.DataFrame({"size": [1.0, 2.0, 3.0]})


class FakeClassifier:
    task = SimpleNamespace(classes=("no", "yes"))
    classes = np.array(["no", "yes"])

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        high = frame["size"].to_numpy() / 4
        return np.stack([1 - high, high], 1)

    def decisions(self, probs: np.ndarray) -> np.ndarray:
        return probs.argmax(1)


@pytest.fixture
def loaded(api, monkeypatch, tmp_path) -> list[Path]:
    """The folders that models were loaded from; the rows stand in rows.csv."""
    folders: list[Path] = []
    api.load = lambda folder, losses, model: folders.append(folder) or FakeClassifier()
    monkeypatch.chdir(tmp_path)
    ROWS.to_csv("rows.csv", index=False)
    return folders


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_predictions_have_a_label_and_a_probability_of_each_class(loaded, run, ending) -> None:
    result = run("predict", "mine", "rows.csv", "-o", f"out.{ending}")
    assert result.exit_code == 0, result.stderr
    assert loaded == [Path("reports/mine")]
    table = pd.read_csv("out.csv") if ending == "csv" else pd.read_parquet("out.parquet")
    assert list(table.columns) == ["prediction", "probability_no", "probability_yes"]
    assert table["prediction"].tolist() == ["no", "no", "yes"]
    assert table["probability_yes"].tolist() == [0.25, 0.5, 0.75]


def test_the_files_of_losses_and_network_reach_the_model(loaded, api, run) -> None:
    given = []
    api.load = lambda folder, losses, model: given.append((losses, model)) or FakeClassifier()
    words = ["predict", "mine", "rows.csv", "-o", "out.csv"]
    words += ["--model", "net.py:make"]
    assert run(*words, "--losses", "a.py", "--losses", "b.py").exit_code == 0
    assert given == [((Path("a.py"), Path("b.py")), "net.py:make")]


def test_a_folder_goes_before_a_name(tmp_path) -> None:
    assert model_folder(str(tmp_path)) == tmp_path
    assert model_folder("mine") == Path("reports") / "mine"


@pytest.mark.parametrize(
    ("file", "rule"),
    [
        ("out.xlsx", ".csv or .parquet"),
        ("out", ".csv or .parquet"),
        ("nowhere/out.csv", "folder that exists"),
        ("rows.csv", "another file than DATA"),
    ],
)
def test_a_file_that_cannot_be_written_is_said_before_anything_is_read(
    loaded, run, file, rule
) -> None:
    result = run("predict", "mine", "rows.csv", "-o", file)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert rule in line
    assert loaded == []
    pd.testing.assert_frame_equal(pd.read_csv("rows.csv"), ROWS)


def test_a_failed_prediction_leaves_the_old_file(loaded, run) -> None:
    Path("out.csv").write_text("old", encoding="utf-8")
    result = run("predict", "mine", "missing.csv", "-o", "out.csv")
    assert result.exit_code == 2
    assert Path("out.csv").read_text(encoding="utf-8") == "old"
    assert sorted(path.name for path in Path().iterdir()) == ["out.csv", "rows.csv"]
