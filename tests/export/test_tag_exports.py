"""Exports of a model of sequences agree with the model."""

from __future__ import annotations

import importlib
import json
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from autoloss.core.errors import InputError
from autoloss.core.settings import NetworkConfig
from autoloss.core.task import Task
from autoloss.data import SequenceEncoding
from autoloss.data.frames import Table
from autoloss.data.sequences.cells import SequenceColumns
from autoloss.export import export
from autoloss.inference.classifier import Classifier
from autoloss.inference.member import Member
from autoloss.losses import LossSpec
from autoloss.models import TokenNetwork
from autoloss.models.make import networks_for
from autoloss.readout import Readout

WORDS = np.array(["Ant", "bee", "CAT-4", "@dog", "12", "naïve", "e", "...", "Fox"], dtype=object)
TAGS = ("B-x", "I-x", "O")
NETWORK = NetworkConfig(width=8, depth=2, embedding=4)
ONNX = ("onnx", "onnxscript", "onnxruntime")
needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ONNX), reason="needs autoloss[onnx]"
)


def sentences(seed: int, n: int = 30) -> pd.DataFrame:
    """Return sequences of words with a number and a word for each token, some missing."""
    rng = np.random.default_rng(seed)
    rows = []
    for length in rng.integers(1, 9, n):
        size = np.where(rng.random(length) < 0.2, np.nan, rng.normal(3, 2, length))
        kinds = [
            None if rng.random() < 0.2 else f"k{rng.integers(3 + seed)}" for _ in range(length)
        ]
        words = rng.choice(WORDS[: 7 + 2 * seed], length)
        rows.append({"words": words.tolist(), "size": size.tolist(), "kind": kinds})
    return pd.DataFrame(rows)


def model(*, letters: bool = False, **options: Any) -> Classifier:
    """Return a model whose members know other words and features, with untrained weights."""
    specs = (
        ("softmax", LossSpec()),
        ("link", LossSpec("focal")),
        ("prior", LossSpec.from_dict({"base": "brier", "prior": "logit_adjust"})),
    )
    encodings = []
    for seed in (0, 1):
        frame = sentences(seed)
        if letters:
            frame = pd.DataFrame({"words": ["".join(w[0] for w in one) for one in frame.words]})
        columns = SequenceColumns("words", () if letters else ("size", "kind")[: 1 + seed])
        encodings.append(SequenceEncoding.fit(columns.read(Table(frame, "")), columns=columns))
    used = [encodings[number % 2] for number in range(len(specs))]
    networks = networks_for([one.schema for one in used], len(TAGS), NETWORK)
    members = []
    for number, (source, spec) in enumerate(specs):
        network = networks[number]
        assert isinstance(network, TokenNetwork)
        weights = network.initial(torch.Generator().manual_seed(number))
        readout = Readout(source, 1.3 + 0.2 * number, 0.004, spec)  # type: ignore[arg-type]
        counts = torch.tensor([40, 20 + number, 300])
        members.append(Member(used[number], weights, readout, counts, 1.0 + number))
    task = Task("sequence", TAGS, "tags")
    return Classifier(task, NETWORK, tuple(members), temperature=0.8, **options)


CODE = {"autoloss": None}


def run(file: Path) -> SimpleNamespace:
    """Run exported code in this process, and return its names."""
    source = file.read_text(encoding="utf-8")
    assert "import autoloss" not in source
    assert "from autoloss" not in source
    names: dict[str, Any] = {"__file__": str(file), "__name__": "tagger"}
    sys.modules["tagger"] = SimpleNamespace(__dict__=names)  # type: ignore[assignment]
    try:
        exec(compile(source, str(file), "exec"), names)
    finally:
        del sys.modules["tagger"]
    return SimpleNamespace(**names)


@pytest.mark.parametrize("kind", ["words", "letters", "constrained", "balanced_error"])
def test_the_code_gives_the_tags_of_the_model(tmp_path: Path, kind: str) -> None:
    options: Any = {"decision": kind} if kind == "balanced_error" else {}
    classifier = model(letters=kind == "letters", **options)
    if kind == "constrained":
        classifier = replace(classifier, task=replace(classifier.task, constrained=True))
    frame = sentences(2)
    frame.at[3, "words"], frame.at[3, "size"], frame.at[3, "kind"] = [], [], []
    if kind == "letters":
        frame["words"] = ["".join(word[0] for word in one) for one in frame.words]
    file, _ = export(classifier, "code", tmp_path / "tagger.py")
    tagger = run(file)
    wanted = classifier.predict_proba(frame)
    assert len(wanted[3]) == 0
    found, tags = tagger.predict_proba(frame), tagger.predict(frame)
    for row, (one, own) in enumerate(zip(classifier.predict(frame), tags, strict=True)):
        np.testing.assert_allclose(found[row], wanted[row], rtol=0, atol=1e-12)
        assert own.tolist() == one.tolist()
    with pytest.raises(ValueError, match="lacks"):
        tagger.predict_proba(frame.drop(columns="words"))


def form_of(word: str) -> str:
    return "".join("0" if c.isdigit() else c for c in word.lower())


def described(word: str) -> list[float]:
    """Return n-grams and shape of a word by the description in the JSON file."""
    marked, found = f"<{form_of(word)}>", np.zeros(256)
    for n in (2, 3, 4):
        for start in range(len(marked) - n + 1):
            code = zlib.crc32(marked[start : start + n].encode())
            found[code % 256] += -1 if code < 2**31 else 1
    letters, upper, digits = (sum(map(of, word)) for of in (str.isalpha, str.isupper, str.isdigit))
    flags = [
        word[0].isupper(),
        letters > 1 and upper == letters,
        letters > 0 and upper == 0,
        upper > 0 and not word[0].isupper(),
        digits == len(word),
        digits > 0 and letters > 0,
        digits + letters == 0,
        len(word) == 1,
        "-" in word[1:-1],
        word[0] in "@#" and len(word) > 1,
    ]
    norm = np.linalg.norm(found)
    return [*(found / norm), *map(float, flags), upper / len(word), min(len(word), 20) / 10]


def tensors(frame: pd.DataFrame, known: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return the inputs of a program from its JSON file alone, like a user."""
    tokens = [word for one in frame.words for word in one]
    places = [(i, len(one) - 1 - i) for one in frame.words for i in range(len(one))]
    numbers = [[x for one in frame[name] for x in one] for name in known["numbers"]]
    levels = [
        [table.get(x, 0) for one in frame[name] for x in one]
        for name, table in known["levels"].items()
    ]
    return {
        "forms": torch.tensor([known["forms"].get(form_of(word), 0) for word in tokens]),
        "words": torch.tensor([described(word) for word in tokens], dtype=torch.float64),
        "numbers": torch.tensor(numbers, dtype=torch.float64).T,
        "levels": torch.tensor(levels, dtype=torch.int64).T,
        "around": torch.tensor(places),
    }


def test_the_torch_program_gives_the_tags_of_the_model(tmp_path: Path) -> None:
    classifier, frame = model(), sentences(2)
    file, tables = export(classifier, "torch", tmp_path / "model.pt2")
    known = json.loads(tables.read_text(encoding="utf-8"))
    given = tensors(frame, known)
    assert list(given) == list(known["inputs"])
    program = torch.export.load(file).module()
    code, probs = program(*given.values())
    wanted = np.concatenate(classifier.predict_proba(frame))
    np.testing.assert_allclose(probs, wanted, rtol=0, atol=1e-6)
    tags = np.concatenate(classifier.predict(frame))
    assert [known["classes"][place] for place in code.tolist()] == tags.tolist()
    alone = {name: one[:1] for name, one in given.items()} | {"around": torch.tensor([[0, 0]])}
    _, probs = program(*alone.values())
    first = frame.iloc[:1].map(lambda cell: cell[:1])
    np.testing.assert_allclose(probs, classifier.predict_proba(first)[0], rtol=0, atol=1e-6)


@needs_onnx
@pytest.mark.slow
def test_onnxruntime_gives_the_tags_of_the_model(tmp_path: Path) -> None:
    import onnxruntime

    classifier, frame = model(), sentences(2)
    (file,) = export(classifier, "onnx", tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(file)
    known = json.loads(session.get_modelmeta().custom_metadata_map["autoloss"])
    given = {name: one.numpy() for name, one in tensors(frame, known).items()}
    code, probs = session.run(None, given)
    wanted = np.concatenate(classifier.predict_proba(frame))
    np.testing.assert_allclose(probs, wanted, rtol=0, atol=1e-6)
    tags = np.concatenate(classifier.predict(frame))
    assert [known["classes"][place] for place in code.tolist()] == tags.tolist()


def test_a_graph_of_constrained_tags_is_refused(tmp_path: Path) -> None:
    classifier = model()
    classifier = replace(classifier, task=replace(classifier.task, constrained=True))
    with pytest.raises(InputError, match="this model is constrained; use --to code"):
        export(classifier, "torch", tmp_path / "model.pt2")
    assert list(tmp_path.iterdir()) == []
