from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import autoloss
from autoloss.report import diagnosis_json, render_diagnosis
from autoloss.report.diagnosis_words import findings, headline
from tests.diagnosis.cases import drawn

ROOT = Path(__file__).parents[2]
EVIL = ("</style><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 }}", "ü")


@pytest.fixture(scope="module")
def found():
    logits, labels = drawn(400, sharpness=2.0)
    return autoloss.diagnose(logits, labels, loss="focal", classes=EVIL, name="<b>mine</b>")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.names.append(tag)


def test_the_page_brings_all_it_needs_and_no_script(found):
    page = render_diagnosis(found)
    tags = Tags()
    tags.feed(page)
    assert not {"script", "img", "link", "iframe"} & set(tags.names)
    assert "default-src 'none'" in page
    assert not re.search(r"""(?:src|href)=["'](?!#)""", page)
    assert "<script" not in page
    assert "<b>mine" not in page
    assert "NaN" not in page
    assert len(page) < 200_000


def test_every_figure_is_right_xml_with_words_for_it(found):
    page = render_diagnosis(found)
    charts = re.findall(r'<svg class="chart".*?</svg>', page, re.DOTALL)
    assert len(charts) == 4
    for chart in charts:
        root = ElementTree.fromstring(chart)
        assert len(root.attrib["aria-label"]) > 20
        numbers = re.findall(r"-?\d+\.?\d*", " ".join(one.attrib.get("d", "") for one in root))
        assert all(-20 <= float(one) <= 460 for one in numbers)


def test_the_numbers_of_the_page_are_those_of_the_record(found):
    page = render_diagnosis(found)
    best = found.readouts[found.best]
    assert f"{best.log_loss:.4f}" in page
    assert f"{found.log_loss:.4f}" in page
    assert headline(found) in page
    assert [one.is_problem for one in findings(found)][:2] == [True, True]


def test_json_holds_all_and_no_nan(found):
    empty = replace(found, class_rows=(replace(found.class_rows[0], error=math.nan),))
    plain = json.loads(diagnosis_json(empty))
    assert plain["class_rows"][0]["error"] is None
    assert set(plain) == set(found.to_dict())
    assert "–" in render_diagnosis(empty)


def test_predictions_that_are_all_right_have_a_page():
    labels = np.arange(60) % 3
    found = autoloss.diagnose(9.0 * np.eye(3)[labels], labels)
    assert "No decision is wrong." in render_diagnosis(found)


def test_many_classes_are_not_all_shown():
    logits, labels = drawn(600, classes=150)
    page = render_diagnosis(autoloss.diagnose(logits, labels))
    assert "The 30 of 150 classes" in page
    assert "not fitted to more than 100 classes" in page


def test_rendering_needs_no_torch():
    code = (
        "import sys; from autoloss.report import diagnosis, diagnosis_words\n"
        "print([name for name in ('torch', 'pandas', 'optuna', 'mlflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
