"""Input that cannot be diagnosed is refused in one line with a remedy."""

from __future__ import annotations

import re
import zipfile

import numpy as np
import pytest

import autoloss
from autoloss.core.errors import InputError
from autoloss.diagnosis.files import read_scores
from tests.diagnosis.cases import drawn, probabilities

LOGITS, LABELS = drawn(100)
PROBS = probabilities(LOGITS)
HOLED = LOGITS.copy()
HOLED[17, 2] = np.nan
ENDLESS = LOGITS.copy()
ENDLESS[3, 1] = -np.inf

CASES = {
    "no labels": ({"logits": LOGITS}, "key 'labels', but has 'logits'"),
    "no scores": ({"labels": LABELS}, "has neither, only 'labels'"),
    "both": ({"logits": LOGITS, "probs": PROBS, "labels": LABELS}, "has both"),
    "sequences": (
        {"logits": np.zeros((5, 6, 3)), "labels": LABELS},
        r"tags of each of 5 sequences",
    ),
    "no axis": ({"logits": np.float64(3), "labels": LABELS}, r"shape \(N, C\) or \(N,\)"),
    "nan": ({"logits": HOLED, "labels": LABELS}, "1 of 100 rows are not, the first is row 17"),
    "inf": ({"logits": ENDLESS, "labels": LABELS}, "write -1e4 for -inf"),
    "text": ({"logits": LOGITS.astype(str), "labels": LABELS}, "logits must hold numbers"),
    "too many labels": ({"logits": LOGITS, "labels": LABELS.repeat(2)}, "100 rows .* got 200"),
    "label beyond": ({"logits": LOGITS, "labels": LABELS + 1}, "must lie in 0 to 3"),
    "ignored label": (
        {"logits": LOGITS, "labels": np.where(np.arange(100) == 4, -100, LABELS)},
        r"labels\[4\]=-100: leave rows",
    ),
    "label of half": ({"logits": LOGITS, "labels": LABELS + 0.5}, "must be whole numbers"),
    "names": ({"logits": LOGITS, "labels": LABELS.astype(str)}, "numpy.unique"),
    "one-hot": ({"logits": LOGITS, "labels": np.eye(4)[LABELS]}, r"labels.argmax\(1\)"),
    "one class": ({"logits": LOGITS, "labels": 0 * LABELS}, "two classes or more"),
    "few": ({"logits": LOGITS[:19], "labels": LABELS[:19]}, "at least 20 rows"),
    "none": ({"logits": LOGITS[:0], "labels": LABELS[:0]}, "at least 20 rows"),
    "sums": ({"probs": PROBS * 0.9, "labels": LABELS}, "must sum to 1 in every row"),
    "logits as probs": ({"probs": LOGITS, "labels": LABELS}, "under logits"),
    "weights": ({"logits": LOGITS, "labels": LABELS, "weights": np.ones(3)}, "weights must be"),
    "negative weights": (
        {"logits": LOGITS, "labels": LABELS, "weights": -np.ones(100)},
        "weights must be finite, 0 or more",
    ),
    "classes": (
        {"logits": LOGITS, "labels": LABELS, "classes": ["a", "a", "b", "c"]},
        "4 different names",
    ),
    "pickle": (
        {"logits": np.array([{"a": 1}] * 30, dtype=object), "labels": LABELS[:30]},
        "logits must be a plain array, but it holds Python objects",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_file_is_refused_with_its_name_the_key_and_what_to_do(case, tmp_path):
    arrays, message = CASES[case]
    file = tmp_path / "saved.npz"
    np.savez(file, **arrays)
    with pytest.raises(InputError, match=message) as caught:
        read_scores(file)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)
    key = re.search("logits|probs|labels|weights|classes", str(caught.value))
    assert key


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    file = tmp_path / "saved.npz"
    with pytest.raises(InputError, match="exists"):
        read_scores(file)
    for content in (b"", b"logits,labels\n1,2\n", b"PK\x03\x04broken"):
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"must be an \.npz archive"):
            read_scores(file)
    np.save(tmp_path / "one.npy", LOGITS)
    with pytest.raises(InputError, match=r"must be an \.npz archive"):
        read_scores(tmp_path / "one.npy")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("logits", b"no array")
        archive.writestr("labels", b"no array")
    with pytest.raises(InputError, match=r"numpy\.savez"):
        read_scores(file)
    np.savez(file, logits=LOGITS, labels=LABELS)
    file.write_bytes(file.read_bytes()[:-400])
    with pytest.raises(InputError, match=r"must be an \.npz archive"):
        read_scores(file)


def test_unusual_but_valid_files_are_read(tmp_path):
    file = tmp_path / "saved.npz"
    for scores in (LOGITS.astype(np.float16), LOGITS.astype(np.float32), LOGITS.round() + 0.0):
        np.savez(file, logits=scores, labels=LABELS.astype(np.uint8), weight=LABELS)
        predictions = read_scores(file)
        assert any("'weight'" in note for note in predictions.notes)
    np.savez(file, probs=PROBS.astype(np.float16), labels=LABELS.astype(float)[:, None])
    assert autoloss.diagnose(LOGITS, LABELS).log_loss == pytest.approx(
        -float(read_scores(file).log_probs.double()[np.arange(100), LABELS].mean()), abs=2e-3
    )
    np.savez(file, logits=PROBS, labels=LABELS)
    assert any("save probabilities under probs" in note for note in read_scores(file).notes)


def test_a_probability_of_zero_is_bounded_and_noted():
    probs = np.eye(3)[np.arange(60) % 3]
    found = autoloss.diagnose(probs, (np.arange(60) % 3)[::-1].copy(), kind="probabilities")
    assert np.isfinite(found.log_loss)
    assert any("probabilities are 0" in note for note in found.notes)
