from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.console import Console

import autoloss
from autoloss.cli.diagnosis import show
from autoloss.cli.predictions import model_folder
from tests.diagnosis.cases import drawn
from tests.export.models import make_classifier, make_frame


@pytest.fixture
def saved(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    logits, labels = drawn(300, sharpness=2.0)
    np.savez("valid.npz", logits=logits, labels=labels, classes=["a", "b", "c", "<d>"])
    return tmp_path


def test_saved_logits_give_tables_and_a_page(saved, run):
    done = run("diagnose", "--logits", "valid.npz", "--loss", "focal gamma=3")
    assert done.exit_code == 0, done.output
    for text in ("ECE", "focal gamma=3", "as given + temperature *", "suspect labels", "bits"):
        assert text in done.stdout
    page = saved / "reports" / "valid-diagnosis.html"
    assert "wrote reports/valid-diagnosis.html" in done.stderr.replace("\\", "/")
    assert "&lt;d&gt;" in page.read_text(encoding="utf-8")


def test_json_is_one_document_and_the_page_goes_where_it_is_sent(saved, run):
    done = run("diagnose", "--logits", "valid.npz", "--json", "-o", "page.html")
    found = json.loads(done.stdout)
    assert found["schema_version"] == 1
    assert found["readouts"][found["best"]]["name"] == "as given"
    assert found["rows"] == 300
    assert (saved / "page.html").is_file()
    assert not (saved / "reports").exists()
    again = run("diagnose", "--logits", "valid.npz", "--json", "-o", "page.html")
    assert again.stdout == done.stdout


def test_a_model_is_diagnosed_by_its_folder(saved, run):
    frame = make_frame()
    make_classifier(frame).save("reports/churn/model")
    frame.assign(churned=np.where(np.arange(240) % 3, "no", "yes")).to_csv("rows.csv", index=False)
    assert model_folder("churn").is_dir()
    done = run("diagnose", "churn", "rows.csv")
    assert done.exit_code == 0, done.output
    assert "the read-out of the model" in " ".join(done.stdout.split())
    assert (saved / "reports" / "churn-diagnosis.html").is_file()
    refused = run("diagnose", "churn", "rows.csv", "--loss", "foc")
    assert refused.exit_code != 0


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["churn"],
        ["churn", "rows.csv", "--logits", "valid.npz"],
        ["--logits", "missing.npz"],
        ["--logits", "valid.npz", "-o", "page.txt"],
        ["--logits", "valid.npz", "-o", "nowhere/page.html"],
        ["--logits", "valid.npz", "--loss", "nothing"],
    ],
)
def test_mistakes_write_nothing(saved, words, run):
    done = run("diagnose", *words)
    assert done.exit_code != 0
    assert {one.name for one in saved.iterdir()} == {"valid.npz"}


@pytest.mark.parametrize("width", [40, 60, 80, 140])
def test_no_line_is_wider_than_the_terminal(width):
    logits, labels = drawn(200, classes=16)
    found = autoloss.diagnose(logits, labels, loss="generalized_cross_entropy q=0.7")
    console = Console(width=width, highlight=False, file=io.StringIO())
    show(console, found)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert any("12 of 16" in line for line in lines)
