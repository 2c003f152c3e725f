"""Laws of every kind of input."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from autoloss.core.settings import NetworkConfig
from autoloss.data import DataOptions, StudyData, prepare
from autoloss.data.input_kinds import KINDS, InputKind, encoding_from, encoding_state
from autoloss.models import OwnModel, networks_for

CONFIG = NetworkConfig(width=8)
FUNCTIONS = Path(__file__).parent / "frozen" / "functions.py"


@dataclass(frozen=True, eq=False)
class Case:
    """A frame, and the data of a study of it."""

    frame: pd.DataFrame
    data: StudyData

    @property
    def kind(self) -> InputKind:
        return self.data.kind

    def read(self, frame: pd.DataFrame, encoding: Any = None) -> Any:
        """Return rows as a model reads them."""
        reader = self.kind.reader([encoding or self.data.encoding])
        (whole,) = list(reader.frames(frame))
        (rows,) = reader.encode(whole)
        return rows

    def tensors(self, inputs: Any) -> list[torch.Tensor]:
        """Return the inputs of the network."""
        schema, n_outputs = self.data.encoding.schema, self.data.task.n_outputs
        model = None if self.kind.built_in else OwnModel(torch.nn.Linear, "Linear")
        (network,) = networks_for([schema], n_outputs, CONFIG, model)
        seen: list[torch.Tensor] = []

        def note(one: torch.Tensor) -> torch.Tensor:
            seen.append(one)
            return one

        network.encode(inputs).each(note)
        return seen

    def same(self, first: Any, second: Any) -> bool:
        """Return whether two parts have the same rows."""
        pairs = zip(self.tensors(first), self.tensors(second), strict=True)
        return len(first) == len(second) and all(torch.equal(a, b) for a, b in pairs)


def of_table() -> Case:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"x": draw.normal(size=80), "c": draw.choice(list("abc"), 80)})
    frame["y"] = draw.choice(["no", "yes"], 80)
    return Case(frame, prepare(frame, DataOptions(target="y")))


def of_sequences() -> Case:
    draw = np.random.default_rng(0)
    lengths = draw.integers(2, 9, 60)
    words = [[str(word) for word in draw.choice(list("abcdef"), n)] for n in lengths]
    tags = [["V" if word in "ae" else "C" for word in one] for one in words]
    frame = pd.DataFrame({"words": words, "tags": tags})
    return Case(frame, prepare(frame, DataOptions(target="tags", tokens="words")))


def of_images() -> Case:
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (60, 6, 5)).astype(np.uint8)
    frame = pd.DataFrame({"image": list(images), "y": draw.choice(["no", "yes"], 60)})
    return Case(frame, prepare(frame, DataOptions(target="y", images="image")))


def of_frozen() -> Case:
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(list("abc"), n)) for n in draw.integers(0, 9, 80)]
    frame = pd.DataFrame({"text": texts, "y": draw.choice(["no", "yes"], 80)})
    options = DataOptions(
        target="y", columns={"text": "text"}, features=f"{FUNCTIONS}:counts_of_letters"
    )
    return Case(frame, prepare(frame, options))


def of_tensors() -> Case:
    draw = np.random.default_rng(0)
    inputs = {
        "codes": draw.integers(0, 9, (60, 4)),
        "sizes": draw.normal(size=(60, 2, 3)).astype(np.float32),
    }
    given = (inputs, draw.choice(["no", "yes"], 60))
    frame = pd.DataFrame({name: list(values) for name, values in inputs.items()})
    return Case(frame, prepare(given, DataOptions()))


def of_token_tensors() -> Case:
    draw = np.random.default_rng(0)
    lengths = draw.integers(2, 7, 60)
    codes, tags = np.zeros((60, 6), dtype=np.int64), np.full((60, 6), -100)
    sizes = draw.normal(size=(60, 6, 2)).astype(np.float32)
    for row, length in enumerate(lengths):
        codes[row, :length] = draw.integers(1, 9, length)
        tags[row, :length] = codes[row, :length] % 3
    inputs = {"codes": codes, "sizes": sizes}
    frame = pd.DataFrame(
        {
            name: [row[:length] for row, length in zip(values, lengths, strict=True)]
            for name, values in inputs.items()
        }
    )
    return Case(frame, prepare((inputs, tags), DataOptions()))


CASES: dict[str, Callable[[], Case]] = {
    "frozen": of_frozen,
    "images": of_images,
    "sequences": of_sequences,
    "table": of_table,
    "tensors": of_tensors,
    "token_tensors": of_token_tensors,
}


@pytest.fixture(scope="module", params=sorted(KINDS))
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]()


def plain(schema: Any) -> dict[str, Any]:
    """Return a schema as plain values."""
    return {
        name: one.tolist() if isinstance(one, torch.Tensor) else one
        for name, one in vars(schema).items()
    }


def test_an_encoding_survives_json_and_tensors(case: Case) -> None:
    encoding = case.data.encoding
    state, tensors = encoding_state(encoding)
    again = encoding_from(json.loads(json.dumps(state)), tensors)
    again.check()
    assert type(again) is type(encoding)
    assert again.kinds == encoding.kinds
    assert plain(again.schema) == plain(encoding.schema)
    assert case.same(case.read(case.frame, again), case.read(case.frame))


def test_rows_are_taken_joined_and_placed(case: Case) -> None:
    inputs = case.data.train.inputs
    n = len(inputs)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    parts = [inputs.take(order[:7]), inputs.take(order[7:])]
    assert list(map(len, parts)) == [7, n - 7]
    assert case.same(type(inputs).joined(parts), inputs.take(order))
    assert case.same(type(inputs).joined(parts).take(order.argsort()), inputs)
    placed = case.tensors(inputs.to("cpu", torch.float64))
    assert all(one.dtype == torch.float64 for one in placed if one.is_floating_point())


def test_a_model_reads_new_rows_as_the_search_did(case: Case) -> None:
    reader = case.kind.reader([case.data.encoding])
    rows = case.read(case.frame[list(reader.names)])
    train = case.data.train
    assert case.same(rows.take(train.rows), train.inputs)
    reader.check(label="DATA", remedy="")
    assert reader.note == ""


def test_signature_and_example_agree_and_can_be_read(case: Case) -> None:
    encodings = [case.data.encoding]
    example = case.kind.example(encodings)["dataframe_split"]
    frame = pd.DataFrame(**json.loads(json.dumps(example)))
    assert [name for name, _ in case.kind.signature(encodings)] == list(frame.columns)
    assert len(case.read(frame)) == len(frame) > 0
