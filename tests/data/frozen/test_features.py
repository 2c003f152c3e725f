"""Frozen features: computed once, kept by content and network, refused in a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from autoloss.core.errors import InputError
from autoloss.data import DataOptions, StudyData, prepare
from autoloss.data.frozen import extractor as extractors
from autoloss.data.frozen.extractor import kept_extractor, open_extractor, take_in_features
from autoloss.data.frozen.libraries import Frozen, Library, weights_digest

FUNCTIONS = Path(__file__).parent / "functions.py"
COUNTS = f"{FUNCTIONS}:counts_of_letters"


def texts(n: int = 60) -> pd.DataFrame:
    draw = np.random.default_rng(1)
    cells = [" ".join(draw.choice(list("abcd"), size)) for size in draw.integers(1, 30, n)]
    return pd.DataFrame({"text": cells, "y": draw.choice(["no", "yes"], n)})


def read(frame: pd.DataFrame, reference: str = COUNTS, **more: object) -> StudyData:
    options = DataOptions(target="y", features=reference, columns=("text=text",), **more)  # type: ignore[arg-type]
    return prepare(frame, options)


def calls() -> list[int]:
    """Return the sizes of the calls of the functions of this process."""
    own = open_extractor(COUNTS, "texts").function
    found: list[int] = own.__globals__["CALLS"]
    return found


def test_vectors_are_those_of_the_function_standardised_by_training_rows() -> None:
    frame = texts()
    data = read(frame)
    counts = np.array([[text.count(letter) for letter in "abc"] for text in frame["text"]])
    train = counts[data.train.rows]
    expected = (train - train.mean(0)) / train.std(0)
    np.testing.assert_allclose(data.train.inputs.vectors, expected, atol=1e-5)
    assert data.notes[0].startswith("60 texts are vectors of 3 numbers")
    held = (counts[data.valid.rows] - train.mean(0)) / train.std(0)
    np.testing.assert_allclose(data.valid.inputs.vectors, held, atol=1e-5)


def test_equal_inputs_are_computed_once_and_kept_until_the_function_changes(
    tmp_path: Path,
) -> None:
    frame = texts(40)
    frame["text"] = [f"{text} {len(text)} {tmp_path.name}" for text in frame["text"]]
    twice = pd.concat([frame, frame], ignore_index=True)
    calls().clear()
    read(twice)
    assert calls() == [frame["text"].nunique()]
    read(twice)
    assert len(calls()) == 1
    file = tmp_path / "functions.py"
    source = FUNCTIONS.read_text(encoding="utf-8")
    file.write_text(source.replace('in "abc"', 'in "ab"'), encoding="utf-8")
    changed = read(twice, f"{file}:counts_of_letters")
    assert changed.encoding.schema.vector_width == 2
    assert changed.fingerprint != read(twice).fingerprint


def test_a_missing_text_is_empty_and_said() -> None:
    frame = texts()
    frame.loc[3, "text"] = None
    data = read(frame)
    assert any("1 text without words kept" in note for note in data.notes)


def test_the_only_column_of_texts_is_found_and_several_are_refused() -> None:
    frame = texts(80)
    frame["text"] = [f"the text number {i} has {text}" for i, text in enumerate(frame["text"])]
    frame["n"] = np.arange(len(frame)) % 3
    data = prepare(frame, DataOptions(target="y", features=COUNTS))
    assert data.summary.columns == (("text", "text"),)
    assert dict(data.summary.aside)["n"] == "not read by the network"
    frame["more"] = frame["text"] + " more"
    with pytest.raises(InputError, match=r"one column of texts .* 'text', 'more'"):
        prepare(frame, DataOptions(target="y", features=COUNTS))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fails", r"fails gave line \d+: KeyError: 'no vocabulary'"),
        ("flat", r"returned an array of shape \(\d+,\)"),
        ("infinite", "finite numbers"),
        ("count_of_letters", "did you mean 'counts_of_letters'"),
    ],
)
def test_a_function_that_gives_no_vectors_is_refused_in_a_line(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        read(texts(), f"{FUNCTIONS}:{name}")
    assert "\n" not in str(refused.value)


def test_vectors_of_two_widths_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoloss.data.frozen.vectors.AT_ONCE", 39)
    with pytest.raises(InputError, match="vectors of one width"):
        read(texts(), f"{FUNCTIONS}:ragged")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("st:", "features must be st:NAME"),
        ("resnet18", "features must be st:NAME"),
        ("absent.py:f", "can be read"),
        ("timm:resnet18", "network of texts, but timm:resnet18 reads pictures"),
    ],
)
def test_an_unknown_reference_is_refused_in_a_line(reference: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(texts(), reference)


def test_a_library_that_is_not_installed_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(place: str, seen: str) -> Frozen:
        raise ModuleNotFoundError("No module named 'httpx'", name="httpx")

    monkeypatch.setitem(
        extractors.LIBRARIES, "st", Library("sentence-transformers", ("texts",), absent)
    )
    with pytest.raises(InputError, match=r"sentence-transformers .* pip install 'autoloss\[st\]'"):
        read(texts(), "st:a-name-that-nobody-loaded")


def test_a_model_names_its_function_and_notices_a_change(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def ones(texts):\n    return [[1.0]] * len(texts)\n", encoding="utf-8")
    before = open_extractor(f"{file}:ones", "texts")
    assert kept_extractor("mine.py:ones", before.sha256, "texts") is before
    with pytest.raises(InputError, match="features must be given"):
        kept_extractor("other.py:ones", before.sha256, "texts")
    file.write_text("def ones(texts):\n    return [[2.0]] * len(texts)\n", encoding="utf-8")
    take_in_features(f"{file}:ones")
    with pytest.raises(InputError, match="has changed"):
        kept_extractor("mine.py:ones", before.sha256, "texts")


def test_weights_decide_the_fingerprint_of_a_network() -> None:
    torch.manual_seed(0)
    one, other = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    assert weights_digest(one) != weights_digest(other)
    other.load_state_dict(one.state_dict())
    assert weights_digest(one) == weights_digest(other)


def test_images_of_a_folder_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for i in range(20):
            pixels = draw.integers(0, 256, (9, 9)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / label / f"{i:02}.png")
    (tmp_path / "a" / "05.png").write_bytes(b"broken")
    options = DataOptions(features=f"{FUNCTIONS}:sides")
    with pytest.raises(InputError, match=r"1 image of 40 cannot be read, such as .*05.png"):
        prepare(tmp_path, options)
    left = prepare(tmp_path, DataOptions(features=options.features, skip_bad=True))
    assert left.n_rows == 39
    assert left.encoding.schema.vector_width == 18
    assert any("left out" in note for note in left.notes)
