"""Values print in a few lines, and have a form for notebooks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from autoloss import LossSpec, diagnose
from autoloss.core.display import Card
from autoloss.losses import ClassFacts
from autoloss.search import SearchResult, Trial
from tests.diagnosis.cases import drawn
from tests.export.models import make_classifier
from tests.report.summaries import make_summary


def shown() -> dict[str, object]:
    summary = make_summary()
    facts = ClassFacts(torch.tensor([5, 5]))
    return {
        "result": SearchResult(summary),
        "summary": summary,
        "verdict": summary.verdict,
        "record": summary.trials[0],
        "trial": Trial(3, LossSpec("focal"), {"lr": 0.01}, 0, facts),
        "model": make_classifier(),
        "diagnosis": diagnose(*drawn(300)),
    }


@pytest.mark.parametrize("name", list(shown()))
def test_a_value_is_a_few_lines_and_a_table_in_a_notebook(name: str) -> None:
    value = shown()[name]
    text = repr(value)
    assert 2 <= len(text.splitlines()) <= 8
    assert "tensor(" not in text
    assert len(text) < 1200
    page = value._repr_html_()  # type: ignore[attr-defined]
    assert page.startswith("<div>")
    assert page.count("<tr>") == len(text.splitlines()) - 1


def test_what_is_said_of_them() -> None:
    values = shown()
    summary = make_summary()
    assert repr(values["verdict"]).startswith(f"Verdict: {summary.verdict.decision}")
    assert summary.verdict.text in repr(values["result"])
    assert "focal gamma=2" in repr(values["trial"])
    assert "lr 0.01" in repr(values["trial"])
    assert repr(values["record"]).startswith(f"Trial 0, {summary.trials[0].state}")


def test_a_page_shows_names_as_they_are() -> None:
    summary = make_summary()
    wild = replace(summary, name="<b>mine</b>")
    assert "<b>mine" not in SearchResult(wild)._repr_html_()
    assert Card("a", (("b", "<i>"),)).html().count("&lt;i&gt;") == 1
