"""The kind of label comes from the task: no code concludes it from a number of classes."""

from __future__ import annotations

import re

import pytest

from tests.floors import ROOT

GUESS = re.compile(
    r"(n_classes|shape\[-?1\]|len\([\w.]*(classes|class_counts|counts|keys|costs|price)\))"
    r"\s*(==|!=|>|<=)\s*2\b"
)
# Code that depends on the number itself, each with its reason.
NUMBER_ITSELF = {
    "cli/catalogue/signal.py": "a loss is drawn for two classes and for more",
    "core/task.py": "the kind where nothing but the number is known",
    "data/target_column.py": "a positive label needs two classes",
    "data/rare.py": "rates are those of a negative and a positive class",
    "diagnosis/squared.py": "the squared error of two classes is that of one logit",
    "diagnosis/surface.py": "the squared error of two classes is that of one logit",
    "experiment/boosting.py": "boosting grows one tree for two classes",
    "losses/bases/asymmetric.py": "a form of the loss for a pair of logits",
    "losses/bases/squared_hinge.py": "a form of the loss for a pair of logits",
    "losses/certificate.py": "a posterior of two classes has one leader",
    "losses/facts.py": "the counts of a binary or multi-label task are pairs",
    "metrics/doubtful_rows.py": "the shape of its argument",
    "models/custom/outputs.py": "the size of an output, in a message",
    "readout/table.py": "a faster layout of pairs",
    "readout/whole.py": "cells of log odds for pairs",
}


def guesses(text: str) -> list[str]:
    """Return the lines that compare a number of classes with two."""
    return [line.strip() for line in text.splitlines() if GUESS.search(line)]


def test_no_code_concludes_the_kind_from_the_number_of_classes() -> None:
    found = {
        str(path.relative_to(ROOT)): lines
        for path in sorted(ROOT.rglob("*.py"))
        if (lines := guesses(path.read_text(encoding="utf-8")))
    }
    assert {name: lines for name, lines in found.items() if name not in NUMBER_ITSELF} == {}
    assert not set(NUMBER_ITSELF) - set(found), "a reason without its line"


@pytest.mark.parametrize(
    "line",
    [
        'task="binary" if len(counts) == 2 else "multiclass",',
        "is_binary = own.shape[-1] == 2",
        "if n_classes != 2:",
        "and judged.n_classes > 2",
    ],
)
def test_a_guess_is_recognised(line: str) -> None:
    assert guesses(line) == [line]
