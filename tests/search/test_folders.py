from __future__ import annotations

import json

import pytest

from autoloss.core.errors import InputError, StudyNotFoundError
from autoloss.report import write_report
from autoloss.search.folders import earlier_looks, look_sentence, read_finished
from tests.report.summaries import make_summary

DIGEST = "ab" * 32


def write(out, name, *, sha256=DIGEST, created="2024-01-01", verdict=True):
    (out / name).mkdir(parents=True)
    summary = {
        "name": name,
        "created": created,
        "settings": {"test_sha256": sha256},
        "verdict": {"decision": "better"} if verdict else None,
    }
    (out / name / "summary.json").write_text(json.dumps(summary))


def test_looks_are_of_other_studies_at_the_same_rows_in_order_of_time(tmp_path):
    write(tmp_path, "a", created="2024-03-01")
    write(tmp_path, "b", created="2024-02-01")
    write(tmp_path, "c", sha256="cd" * 32)
    write(tmp_path, "own")
    assert earlier_looks(tmp_path, DIGEST, "own") == ("b", "a")
    assert earlier_looks(tmp_path, "cd" * 32, "own") == ("c",)


def test_a_digest_elsewhere_in_the_file_is_no_look(tmp_path):
    write(tmp_path, "a", sha256="other")
    path = tmp_path / "a" / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"command": DIGEST}))
    assert earlier_looks(tmp_path, DIGEST, "own") == ()


@pytest.mark.parametrize(
    "text",
    ["", "{", f'["{DIGEST}"]', f'"{DIGEST}"', f'{{"settings": "{DIGEST}"}}', "\xff" + DIGEST],
)
def test_damaged_files_are_passed_over(tmp_path, text):
    write(tmp_path, "a")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "summary.json").write_bytes(text.encode("latin-1"))
    (tmp_path / "folder" / "summary.json").mkdir(parents=True)
    assert earlier_looks(tmp_path, DIGEST, "own") == ("a",)


def test_nobody_looked_in_a_folder_that_is_not_there_or_at_rows_without_a_digest(tmp_path):
    assert earlier_looks(tmp_path / "none", DIGEST, "own") == ()
    write(tmp_path, "a", sha256="")
    assert earlier_looks(tmp_path, "", "own") == ()


def test_studies_without_a_verdict_have_not_looked(tmp_path):
    write(tmp_path, "a", verdict=False)
    assert earlier_looks(tmp_path, DIGEST, "own") == ()


def test_the_sentence_counts_and_names():
    assert look_sentence(()) == ""
    assert look_sentence(["a", "b"]) == (
        "2 earlier studies looked at the same test rows (a, b): their verdicts and this one are "
        "not independent."
    )
    assert "(a, b, c, d, e and 2 more)" in look_sentence(list("abcdefg"))
    assert look_sentence(["a"]).startswith("1 earlier study looked")


def test_a_study_is_found_by_its_name_or_its_folder(tmp_path) -> None:
    summary = make_summary(n_trials=12)
    write_report(summary, tmp_path / "churn")
    by_name = read_finished("churn", out=tmp_path)
    assert by_name == read_finished(tmp_path / "churn", out=tmp_path / "elsewhere")
    folder, read = by_name
    assert folder == tmp_path / "churn"
    assert read.trials == summary.trials


def test_a_study_that_is_not_there_and_one_that_is_not_finished(tmp_path) -> None:
    with pytest.raises(StudyNotFoundError, match="STUDY='mien'"):
        read_finished("mien", out=tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "study.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="autoloss resume mine"):
        read_finished("mine", out=tmp_path)
