"""Tags of sequences: a token counts as a row, and sequences are resampled whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoloss.core.errors import InputError
from autoloss.diagnosis.files import read_scores
from autoloss.diagnosis.model import diagnose_model
from autoloss.diagnosis.run import diagnose
from autoloss.records.diagnosis import Diagnosis
from tests.export.test_tag_exports import model, sentences


def tagged(seed: int = 0, n: int = 80) -> tuple[list[Any], list[Any]]:
    """Return logits that are twice too large, and tags, of sequences; some tags are missing."""
    rng = np.random.default_rng(seed)
    logits = [rng.normal(size=(length, 3)) for length in rng.integers(1, 9, n)]
    tags = [(one + rng.gumbel(size=one.shape)).argmax(1) for one in logits]
    for one in tags:
        one[rng.random(len(one)) < 0.1] = -1
    return [2 * one for one in logits], tags


def figures(found: Diagnosis) -> tuple[Any, ...]:
    return found.rows, found.error, found.log_loss, found.readouts, found.suspects


def padded(logits: list[Any], tags: list[Any]) -> tuple[Any, Any]:
    longest = max(map(len, tags))
    scores = np.zeros((len(tags), longest, 3))
    labels = np.full((len(tags), longest), -100)
    for row, (one, own) in enumerate(zip(logits, tags, strict=True)):
        scores[row, : len(own)], labels[row, : len(own)] = one, own
    return scores, labels


def test_lists_padded_and_joined_sequences_are_diagnosed_alike(tmp_path: Path) -> None:
    logits, tags = tagged()
    found = diagnose(logits, tags)
    assert figures(diagnose(*padded(logits, tags))) == figures(found)
    flat, joined = np.concatenate(logits), np.concatenate(tags)
    known = joined >= 0
    assert found.rows == known.sum()
    assert found.error == pytest.approx((flat.argmax(1) != joined)[known].mean())
    file = tmp_path / "saved.npz"
    lengths = [len(one) for one in tags]
    np.savez(file, logits=flat, labels=joined, lengths=lengths, classes=["a", "b", "c"])
    read = read_scores(file)
    np.testing.assert_array_equal(read.targets.numpy(), joined[known])
    assert read.clusters is not None
    sequence = np.repeat(np.arange(len(tags)), lengths)[known]
    np.testing.assert_array_equal(read.clusters.numpy(), sequence)
    scores, labels = padded(logits, tags)
    np.savez(file, logits=scores, labels=labels)
    np.testing.assert_array_equal(read_scores(file).clusters, read.clusters)


def test_a_suspect_is_named_by_its_sequence_and_token() -> None:
    logits, tags = tagged()
    logits[7] = np.array([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 9.0, 0.0]])
    tags[7] = np.array([0, -1, 2])
    worst = diagnose(logits, tags, classes=["a", "b", "c"]).suspects.worst[0]
    assert (worst.row, worst.given, worst.suggested) == (7, "token 2: c", "token 2: b")


def test_copies_of_a_token_make_no_band_narrower() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal([0.0, 0.5, -2.5], 1.0, size=(500, 3))
    tags = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    once = diagnose(logits, tags)
    alone = diagnose([one[None] for one in logits], [[tag] for tag in tags])
    often = diagnose([np.tile(one, (9, 1)) for one in logits], [np.full(9, tag) for tag in tags])
    for name, wider in ((alone, 1.05), (often, 1.25)):
        own = [row.high - row.low for row in name.class_rows]
        other = [row.high - row.low for row in once.class_rows]
        assert all(b * 0.95 <= a <= b * wider for a, b in zip(own, other, strict=True))
    # Bins of equal mass have about the same rows.
    width = [
        np.mean(np.subtract(d.reliability[0].high, d.reliability[0].low)) for d in (often, once)
    ]
    assert width[0] == pytest.approx(width[1], rel=0.15)


def test_copies_of_a_token_make_no_interval_narrower() -> None:
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(400, 3))
    tags = (logits / 2 + rng.gumbel(size=logits.shape)).argmax(1)
    once = diagnose([one[None] for one in logits], [[tag] for tag in tags]).readouts[1]
    often = diagnose(
        [np.tile(one, (9, 1)) for one in logits], [np.full(9, tag) for tag in tags]
    ).readouts[1]
    assert often.gain == pytest.approx(once.gain, rel=0.1)
    assert often.high - often.low > 0.8 * (once.high - once.low)


def test_a_model_is_diagnosed_by_its_own_probabilities() -> None:
    classifier, frame = model(), sentences(3, 40)
    rng = np.random.default_rng(0)
    frame["tags"] = [
        rng.choice(["B-x", "I-x", "O", "new"], len(one)).tolist() for one in frame.words
    ]
    found = diagnose_model(classifier, frame)
    probs = np.concatenate(classifier.predict_proba(frame))
    tags = np.concatenate(frame.tags.to_list())
    known = tags != "new"
    code = np.array([classifier.classes.tolist().index(tag) for tag in tags[known]])
    assert found.rows == known.sum()
    own = probs[known][np.arange(len(code)), code]
    assert found.log_loss == pytest.approx(-np.log(own).mean(), abs=1e-5)
    assert any("'new'" in note for note in found.notes)
    n_tagged = sum(any(tag != "new" for tag in one) for one in frame.tags)
    assert any(f"of {n_tagged} sequences" in note for note in found.notes)
    with pytest.raises(InputError, match="target must name a column"):
        diagnose_model(classifier, frame.drop(columns="tags"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lengths": [3, 4]}, "lengths must sum to the rows of logits"),
        ({"lengths": [[3.0]]}, "lengths must be the tokens of each sequence"),
        ({"labels": np.full(40, 7)}, "labels must lie in 0 to 2"),
        ({"labels": np.full(40, -1)}, "logits must have at least 20 rows, but got 0"),
    ],
)
def test_faults_of_a_file_are_one_line(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    given = {"logits": np.zeros((40, 3)), "labels": np.arange(40) % 3, "lengths": [20, 20]}
    np.savez(tmp_path / "saved.npz", **{**given, **change})
    with pytest.raises(InputError, match=message):
        read_scores(tmp_path / "saved.npz")
    with pytest.raises(InputError, match="those of sequence 1 have"):
        diagnose([np.zeros((3, 2)), np.zeros((2, 2))], [[0, 1, 1], [0]])


def test_a_single_sequence_or_row_cannot_be_judged() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(60, 3))
    tags = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    with pytest.raises(InputError, match="of mine must have labels of two sequences or more"):
        diagnose([logits], [tags], name="mine")
    with pytest.raises(InputError, match="of logits must have labels of two rows or more"):
        diagnose(rng.normal(size=(1, 60)), rng.integers(0, 2, (1, 60)))
