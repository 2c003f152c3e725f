from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import autoloss
from autoloss.cli.predictions import model_folder
from autoloss.core.errors import InputError
from tests.export.models import make_classifier, make_frame

CLASSIFIER = make_classifier()


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    return CLASSIFIER.save(tmp_path_factory.mktemp("saved") / "model")


@pytest.fixture
def place(saved, monkeypatch, tmp_path) -> Path:
    """A folder with rows.csv, in which the study ``mine`` has a model."""
    monkeypatch.chdir(tmp_path)
    Path("reports").mkdir()
    Path("reports/mine").symlink_to(saved, target_is_directory=True)
    make_frame(40, seed=1).to_csv("rows.csv", index=False)
    return tmp_path


def read(file: str) -> pd.DataFrame:
    return pd.read_csv(file) if file.endswith("csv") else pd.read_parquet(file)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_predictions_have_a_label_and_a_probability_of_each_class(place, run, ending) -> None:
    result = run("predict", "mine", "rows.csv", "-o", f"out.{ending}")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == f"autoloss: wrote 40 predictions to out.{ending}.\n"
    table = read(f"out.{ending}")
    assert list(table.columns) == ["prediction", "probability_no", "probability_yes"]
    frame = make_frame(40, seed=1)
    assert table["prediction"].tolist() == CLASSIFIER.predict(frame).tolist()
    wanted = CLASSIFIER.predict_proba(frame)
    np.testing.assert_allclose(table.iloc[:, 1:].to_numpy(), wanted, rtol=1e-12)


def test_predictions_go_to_standard_output(place, run) -> None:
    assert run("predict", "mine", "rows.csv", "-o", "out.csv").exit_code == 0
    result = run("predict", "mine", "rows.csv", "-o", "-")
    assert result.exit_code == 0
    assert result.stdout == Path("out.csv").read_text(encoding="utf-8")
    assert result.stderr == "autoloss: wrote 40 predictions to standard output.\n"


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_an_id_is_carried_through_as_it_stands(place, run, ending) -> None:
    ids = [f"{number:05d}" for number in range(40)][::-1]
    make_frame(40, seed=1).assign(customer=ids).to_csv("rows.csv", index=False)
    result = run("predict", "mine", "rows.csv", "-o", f"out.{ending}", "--id", "customer")
    assert result.exit_code == 0, result.stderr
    assert "ignored" not in result.stderr
    table = (
        pd.read_csv("out.csv", dtype={"customer": str}) if ending == "csv" else read("out.parquet")
    )
    assert table.columns[0] == "customer"
    assert table["customer"].tolist() == ids


def test_an_id_of_whole_numbers_stays_whole_where_one_is_missing(place, run) -> None:
    ids = pd.array([7, None, *range(38)], dtype="Int64")
    make_frame(40, seed=1).assign(customer=ids).to_parquet("rows.parquet", index=False)
    run("predict", "mine", "rows.parquet", "-o", "out.csv", "--id", "customer")
    lines = Path("out.csv").read_text(encoding="utf-8").splitlines()
    assert [line.partition(",")[0] for line in lines[:4]] == ["customer", "7", "", "0"]


def test_missing_columns_are_named_with_the_remedy(place, run) -> None:
    make_frame(9).drop(columns=["town", "since"]).to_csv("rows.csv", index=False)
    result = run("predict", "mine", "rows.csv", "-o", "out.csv")
    assert result.exit_code == 2
    assert result.stderr == (
        "autoloss: rows.csv must have the columns that the model was trained on, but lacks 'town',"
        " 'since'; add them, with empty cells where nothing is known.\n"
    )
    assert not Path("out.csv").exists()


def test_a_column_of_another_spelling_is_pointed_at(place, run) -> None:
    make_frame(9).rename(columns={"town": "Town"}).to_csv("rows.csv", index=False)
    result = run("predict", "mine", "rows.csv", "-o", "out.csv")
    assert "lacks 'town', did you mean 'Town'?" in result.stderr


def test_new_columns_are_told_in_one_line(place, run) -> None:
    frame = make_frame(9).assign(extra=1, churned="yes", other="a")
    frame.to_csv("rows.csv", index=False)
    result = run("predict", "mine", "rows.csv", "-o", "out.csv")
    assert result.exit_code == 0
    first, _ = result.stderr.splitlines()
    assert first == (
        "autoloss: columns that the model was not trained on are ignored: 'extra', 'other'."
    )


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (("--id", "customr"), "--id must name a column of rows.csv"),
        (("--id", "prediction"), "--id must not have the name of a column that is written"),
    ],
)
def test_an_id_that_cannot_be_is_refused(place, run, words, rule) -> None:
    make_frame(9).assign(prediction=1).to_csv("rows.csv", index=False)
    result = run("predict", "mine", "rows.csv", "-o", "out.csv", *words)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert rule in line


def test_the_files_of_losses_network_and_features_reach_the_model(place, api, run) -> None:
    given = []
    api.load = lambda folder, **options: given.append((folder, options)) or CLASSIFIER
    words = ["predict", "mine", "rows.csv", "-o", "out.csv"]
    words += ["--model", "net.py:make", "--features", "embed.py:vectors"]
    assert run(*words, "--losses", "a.py", "--losses", "b.py").exit_code == 0
    options = {
        "losses": (Path("a.py"), Path("b.py")),
        "model": "net.py:make",
        "features": "embed.py:vectors",
    }
    assert given == [(Path("reports/mine"), options)]


def test_only_the_folder_of_a_model_goes_before_a_name(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    study = Path("reports") / "mine"
    study.mkdir(parents=True)
    (study / "study.json").touch()
    assert model_folder(str(tmp_path)) == tmp_path
    assert model_folder("mine") == study
    with pytest.raises(InputError, match="did you mean 'mine'"):
        model_folder("mime")
    # Such as a folder of images, after which the study was named.
    Path("mine").mkdir()
    assert model_folder("mine") == study
    (Path("mine") / "config.json").touch()
    assert model_folder("mine") == Path("mine")
    Path("other").mkdir()
    assert model_folder("other") == Path("other")


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
    place, api, run, file, rule
) -> None:
    before = Path("rows.csv").read_bytes()
    api.load = lambda *_, **__: pytest.fail("loaded")
    result = run("predict", "mine", "rows.csv", "-o", file)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert rule in line
    assert Path("rows.csv").read_bytes() == before


@pytest.mark.parametrize("last", ["1,2\n", '"1,2'])
def test_a_file_that_breaks_off_leaves_the_old_predictions(place, run, last) -> None:
    Path("out.csv").write_text("old", encoding="utf-8")
    with Path("rows.csv").open("a", encoding="utf-8") as file:
        file.write(last)
    result = run("predict", "mine", "rows.csv", "-o", "out.csv")
    assert result.exit_code == 2, result.stderr
    (line,) = result.stderr.splitlines()
    assert line.startswith("autoloss: rows.csv")
    assert Path("out.csv").read_text(encoding="utf-8") == "old"
    assert sorted(path.name for path in Path().iterdir()) == ["out.csv", "reports", "rows.csv"]


@pytest.mark.slow
def test_a_reader_that_stops_early_ends_the_predictions_in_silence(place) -> None:
    make_frame(30_000, seed=1).to_csv("rows.csv", index=False)
    program = [sys.executable, "-m", "autoloss", "predict", "mine", "rows.csv", "-o", "-"]
    environment = os.environ | {"PYTHONPATH": os.fspath(Path(autoloss.__file__).parents[1])}
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        said = child.stderr.read()
    assert (child.returncode, said) == (0, "")


def test_cells_of_no_use_are_told_and_a_lost_column_is_refused(place, run) -> None:
    frame = make_frame(40, seed=1).assign(colour="Red")
    frame.loc[:19, "colour"] = "red"
    frame.to_csv("rows.csv", index=False)
    result = run("predict", "mine", "rows.csv", "-o", "out.csv")
    assert result.exit_code == 0
    told, _ = result.stderr.splitlines()
    assert told == (
        "autoloss: cells that the model cannot use count as missing: 20 of 40 in 'colour' (no"
        " level that training had, such as 'Red')."
    )
    frame.assign(colour="Red").to_csv("rows.csv", index=False)
    Path("out.csv").unlink()
    for output in ("out.csv", "-"):
        result = run("predict", "mine", "rows.csv", "-o", output)
        assert result.exit_code == 2
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert "rows.csv: Column 'colour' must hold levels that training had" in line
        assert line.endswith("continue with --force.")
        assert not Path("out.csv").exists()
    result = run("predict", "mine", "rows.csv", "-o", "out.csv", "--force")
    assert result.exit_code == 0
    assert "40 of 40 in 'colour'" in result.stderr
    assert len(pd.read_csv("out.csv")) == 40
