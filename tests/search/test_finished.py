from __future__ import annotations

import pytest

from autoloss.core.errors import InputError, StudyNotFoundError
from autoloss.report import write_report
from autoloss.search.finished import read_finished
from tests.report.summaries import make_summary


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
