"""The data of a program are read as the same examples, whatever holds them."""

from __future__ import annotations

import base64
import io
import random
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from autoloss.core.errors import InputError
from autoloss.data import DataOptions, StudyData, TensorInputs, prepare
from autoloss.data.encoding import change_at_random
from autoloss.data.tensors import sources
from autoloss.data.tensors.items import ItemReader

N = 60
X = torch.randn(N, 3, generator=torch.Generator().manual_seed(0))
Y = torch.arange(N) % 3
NO_OPTIONS = DataOptions()


class Plain(Dataset[Any]):
    """Examples of a list; a length that may be wrong."""

    def __init__(self, items: list[Any], length: int | None = None) -> None:
        self.items = items
        self.length = len(items) if length is None else length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, number: int) -> Any:
        return self.items[number]


class Batches:
    """Batches with a length that may be wrong."""

    def __init__(self, batches: list[Any], length: int | None = None) -> None:
        self.batches = batches
        self.length = len(batches) if length is None else length

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)


class Noisy(Dataset[Any]):
    """Examples that random numbers of three libraries change."""

    def __len__(self) -> int:
        return N

    def __getitem__(self, number: int) -> Any:
        noise = torch.tensor([random.random(), np.random.rand(), float(torch.rand(()))])
        return X[number] + noise, int(Y[number])


ITEMS = [(one, int(label)) for one, label in zip(X, Y, strict=True)]
LOADED = [(X[:40], Y[:40]), (X[40:], Y[40:])]


def padded(items: list[Any]) -> dict[str, Tensor]:
    """Join sequences as a collator of a tokenizer does: to the longest of the batch."""
    longest = max(len(one) for one, _ in items)
    codes = torch.zeros(len(items), longest, dtype=torch.int64)
    mask = torch.zeros(len(items), longest, dtype=torch.int64)
    for row, (one, _) in enumerate(items):
        codes[row, : len(one)], mask[row, : len(one)] = one, 1
    labels = torch.tensor([label for _, label in items])
    return {"input_ids": codes, "attention_mask": mask, "labels": labels}


def inputs_of(data: StudyData) -> TensorInputs:
    """Return all inputs in the order of the source."""
    found: TensorInputs = data._encoder.sources.main.beside.inputs
    return found


@pytest.mark.parametrize(
    "given",
    [
        Plain(ITEMS),
        TensorDataset(X, Y),
        (X, Y),
        (X.numpy(), Y.numpy()),
        DataLoader(TensorDataset(X, Y), batch_size=7, shuffle=True),
        ITEMS,
        LOADED,
        Batches(LOADED),
        DataLoader(Plain(LOADED), batch_size=None),
    ],
    ids=[
        "set",
        "tensors",
        "pair",
        "arrays",
        "loader",
        "items",
        "list",
        "batches",
        "loader of batches",
    ],
)
def test_all_holders_of_the_same_examples_are_the_same_data(given: Any) -> None:
    data = prepare(given, NO_OPTIONS)
    expected = prepare((X, Y), NO_OPTIONS)
    assert data.fingerprint == expected.fingerprint
    assert data.task == expected.task
    assert torch.equal(inputs_of(data).tensors["inputs"], X)
    for fold, other in zip(data.folds, expected.folds, strict=True):
        assert torch.equal(fold.train.rows, other.train.rows)
        assert torch.equal(fold.train.targets, Y[fold.train.rows])
        assert torch.equal(fold.train.inputs.tensors["inputs"], X[fold.train.rows])


def test_worker_processes_read_the_same_examples() -> None:
    loader = DataLoader(TensorDataset(X, Y), batch_size=16, num_workers=2)
    assert prepare(loader, NO_OPTIONS).fingerprint == prepare((X, Y), NO_OPTIONS).fingerprint


def test_a_collate_function_pads_to_the_longest_of_all() -> None:
    items = [(torch.arange(1, 2 + number % 5), number % 2) for number in range(N)]
    data = prepare(DataLoader(Plain(items), batch_size=5, collate_fn=padded), NO_OPTIONS)
    found = inputs_of(data).tensors
    assert {name: tuple(one.shape) for name, one in found.items()} == {
        "input_ids": (N, 5),
        "attention_mask": (N, 5),
    }
    assert torch.equal(found["attention_mask"].sum(1), torch.tensor([len(x) for x, _ in items]))
    assert torch.equal((found["input_ids"] > 0).long(), found["attention_mask"])


def test_nested_inputs_keep_their_structure() -> None:
    items = [({"a": one, "b": (one[:2], 3)}, int(label)) for one, label in ITEMS]
    data = prepare(Plain(items), NO_OPTIONS)
    schema = data.encoding.schema
    assert [leaf.name for leaf in schema.leaves] == ["a", "b.0", "b.1"]
    assert schema.nested([1, 2, 3]) == {"a": 1, "b": (2, 3)}
    several = prepare(TensorDataset(X, 2 * X, Y), NO_OPTIONS)
    assert several.encoding.schema.nested([1, 2]) == (1, 2)


def test_rows_of_zeros_and_ones_are_several_labels() -> None:
    labels = torch.stack([Y == 0, Y == 1], 1).float()
    labels[0, 0] = -100.0
    data = prepare((X, labels), NO_OPTIONS)
    assert data.task.kind == "multilabel"
    assert data.task.names == ("label 0", "label 1")
    rows = data.train.rows
    assert torch.equal(data.train.targets, labels[rows].long())


def tagged(items: list[Any]) -> dict[str, Tensor]:
    """Join sequences with a tag for each token, padded by -100."""
    found = padded(items)
    tags = found["input_ids"] % 3
    found["labels"] = torch.where(found["attention_mask"] == 1, tags, -100)
    found["labels"][:, 0] = -100
    return found


def test_padded_tags_are_those_of_the_tokens() -> None:
    items = [(torch.arange(1, 3 + number % 5), 0) for number in range(N)]
    data = prepare(DataLoader(Plain(items), batch_size=7, collate_fn=tagged), NO_OPTIONS)
    assert data.task.kind == "sequence"
    assert data.task.classes == (0, 1, 2)
    train = data.train
    for row, codes, tags in zip(
        train.rows.tolist(),
        torch.split(train.inputs.tensors["input_ids"], train.inputs.lengths.tolist()),
        train.targets.split(),
        strict=True,
    ):
        assert torch.equal(codes, items[row][0])
        assert tags.tolist() == [-100, *(codes[1:] % 3).tolist()]


def test_a_missing_class_is_missing() -> None:
    for labels in (Y.masked_fill(Y == 2, -100), Y.float().masked_fill(Y == 2, torch.nan)):
        data = prepare((X, labels), NO_OPTIONS)
        assert data.task.classes == (0, 1)
        assert data.n_rows == int((Y < 2).sum())
        assert any("20 rows without 'label' left out" in note for note in data.notes)


def test_classes_in_the_place_of_several_labels_are_noticed() -> None:
    one_hot = torch.eye(3)[Y]
    several = one_hot.clone()
    several[0] = 1.0
    for labels, expected in ((one_hot, True), (several, False), (Y, False)):
        notes = prepare((X, labels), NO_OPTIONS).notes
        assert any("give the number of the class" in note for note in notes) == expected


def test_large_data_are_read_when_they_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = prepare((X, Y), NO_OPTIONS)
    monkeypatch.setattr(sources, "LARGEST", 100)
    items = Plain(list(ITEMS))
    data = prepare(items, NO_OPTIONS)
    assert data.fingerprint == expected.fingerprint
    assert any("read at every step" in note for note in data.notes)
    rows = torch.tensor([[3, 1], [0, 2]])
    taken = data.train.inputs.take(rows)
    assert torch.equal(taken.tensors["inputs"], expected.train.inputs.take(rows).tensors["inputs"])
    items.items[int(data.train.rows[3])] = (X[0] + 9.0, 0)
    assert torch.equal(taken.tensors["inputs"][0, 0], X[0] + 9.0)


def test_random_changes_depend_on_the_rows_of_the_batch_alone() -> None:
    data = prepare(Noisy(), NO_OPTIONS)
    assert any("differ from read to read" in note for note in data.notes)
    inputs = data.train.inputs
    first, second = torch.tensor([5, 2, 7]), torch.tensor([2, 5, 7])
    alone = inputs.take(first[None]).tensors["inputs"][0]
    state = torch.get_rng_state()
    beside = inputs.take(torch.stack([second, first])).tensors["inputs"]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(beside[1], alone)
    assert not torch.equal(beside[0][1], alone[0])
    assert data.fingerprint == prepare(Noisy(), NO_OPTIONS).fingerprint


def test_samplers_weigh_or_choose_examples() -> None:
    weights = torch.arange(1.0, N + 1)
    sampler = WeightedRandomSampler(weights.tolist(), N)
    data = prepare(DataLoader(TensorDataset(X, Y), sampler=sampler), NO_OPTIONS)
    assert data.train.weights is not None
    assert data.valid.weights is None
    assert torch.allclose(data.train.weights, weights[data.train.rows] / weights.mean())
    some = DataLoader(TensorDataset(X, Y), sampler=SubsetRandomSampler(range(10, N)))
    chosen = prepare(some, NO_OPTIONS)
    assert chosen.fingerprint != data.fingerprint
    assert torch.equal(inputs_of(chosen).tensors["inputs"], X[10:])


def test_given_parts_are_the_parts() -> None:
    data = prepare((X, Y), DataOptions(valid=TensorDataset(X + 1, Y), test=LOADED))
    assert torch.equal(data.valid.inputs.tensors["inputs"], X + 1)
    assert len(data.train) == N
    assert data.locked is not None
    assert data.locked.n_rows == N


def test_places_of_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.py"
    file.write_text("import torch\ndef make():\n    return torch.eye(60), torch.arange(60) % 3\n")
    found = prepare(f"{file}:make", NO_OPTIONS)
    assert found.summary.source == f"{file}:make"
    module = types.ModuleType("held_by_a_test")
    module.__dict__["data"] = (torch.eye(60), torch.arange(60) % 3)
    monkeypatch.setitem(sys.modules, "held_by_a_test", module)
    assert prepare("held_by_a_test:data", NO_OPTIONS).fingerprint == found.fingerprint


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(ITEMS)


def broken(number: int) -> Any:
    raise KeyError(f"no column {number}")


class Broken(Plain):
    def __getitem__(self, number: int) -> Any:
        return broken(number) if number > 50 else self.items[number]


HOLES = X.clone()
HOLES[17, 1] = torch.nan


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Plain(ITEMS, N + 5), "its length says, 65, but there is no item"),
        (Plain([]), "its length is 0"),
        (Broken(ITEMS), "item 5\\d gave KeyError: .*no column 5"),
        (Batches(LOADED, 3), "as its length says, 3, but has 2"),
        (Batches(LOADED, 1), "as its length says, 1, but has more"),
        (Plain([one for one, _ in ITEMS]), "items \\(inputs, label\\)"),
        (Plain([{"x": one} for one, _ in ITEMS]), "got a dict of 'x'"),
        (Plain([(one, None) for one in X]), "'label' is empty throughout"),
        (Plain([("text", 1)] * N), "inputs that are tensors.*got str"),
        (Plain([(torch.ones(2 + k % 2), 1) for k in range(N)]), "item 0 has inputs \\(2,\\) and"),
        ((HOLES, Y), "'inputs' of item 17 has NaN"),
        ((X, Y[:-1]), "has 60 examples and there are 59 labels"),
        ((X, Y, Y), "a pair"),
        ((X, torch.rand(N)), "must have classes as labels"),
        ((X, torch.randint(0, 5, (N, 4))), "a class for each example"),
        (DataLoader(Endless()), "must have a length"),
        ("nowhere_at_all:data", "must name a module that can be imported"),
    ],
)
def test_a_fault_is_one_line(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        prepare(given, NO_OPTIONS)
    assert "\n" not in str(caught.value)


def test_options_of_tables_are_refused() -> None:
    with pytest.raises(InputError, match="split_by must be left out"):
        prepare((X, Y), DataOptions(split_by="g"))
    with pytest.raises(InputError, match="the training data had"):
        prepare((X, Y), DataOptions(test=(X[:, :2], Y)))
    with pytest.raises(InputError, match="test must be a path"):
        prepare((X, Y), DataOptions(test=pd.DataFrame({"a": [1]})))


class Mirrored(Noisy):
    """Examples of which half are mirrored."""

    def __getitem__(self, number: int) -> Any:
        return (X[number].flip(0) if random.random() < 0.5 else X[number]), int(Y[number])


class Unseeded(Noisy):
    """Examples that their own generator changes."""

    draw = np.random.default_rng(0)

    def __getitem__(self, number: int) -> Any:
        return X[number] + float(self.draw.random()), int(Y[number])


def test_random_changes_are_noticed() -> None:
    for given, expected in ((Mirrored(), 1), (Unseeded(), 2), (TensorDataset(X, Y), 0)):
        found = " ".join(prepare(given, NO_OPTIONS).notes)
        assert ("differ from read to read" in found) + ("run to run" in found) == expected


def test_held_out_rows_are_changed_once() -> None:
    data = prepare(Noisy(), NO_OPTIONS)
    valid = data.valid.inputs
    rows = torch.tensor([4, 0, 9])
    found = valid.take(rows).tensors["inputs"]
    assert torch.equal(found[:1], valid.take(rows[:1]).tensors["inputs"])
    assert not torch.equal(found, X[data.valid.rows[rows]])
    assert change_at_random(data.train.inputs)
    assert not change_at_random(valid)


def test_worker_processes_read_an_epoch_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    epoch = torch.stack([torch.randperm(40)[:10].view(2, 5) for _ in range(3)])
    found = []
    for workers in (0, 2):
        inputs = prepare(DataLoader(Noisy(), num_workers=workers), NO_OPTIONS).train.inputs
        inputs.begin(epoch)
        assert len(inputs.ahead) == (workers > 0)
        if workers:
            # Examples that were read ahead are not read here.
            monkeypatch.setattr(ItemReader, "batch", lambda reader, numbers: 1 / 0)
        found.append([inputs.take(rows).tensors["inputs"] for rows in epoch])
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def test_a_report_shows_images() -> None:
    pixels = torch.arange(16.0).view(1, 4, 4).expand(N, 3, 4, 4) * Y[:, None, None, None]
    data = prepare((pixels, Y), NO_OPTIONS)
    (first, second) = (one.picture for one in data.glimpses("data", [1, 0]))
    assert first != second
    with Image.open(io.BytesIO(base64.b64decode(first.partition(",")[2]))) as shown:
        assert np.asarray(shown)[:, :, 2].ravel().tolist() == list(range(0, 256, 17))
    assert prepare((X, Y), NO_OPTIONS).glimpses("data", [0])[0].picture == ""


GROUP = [f"patient {k // 4}" for k in range(N)]
GROUPED = [({"x": one, "who": who}, int(y)) for one, y, who in zip(X, Y, GROUP, strict=True)]


@pytest.mark.parametrize(
    "given",
    [
        Plain(GROUPED),
        DataLoader(Plain(GROUPED), batch_size=7),
        ({"x": X, "who": GROUP}, Y),
        ({"x": X, "who": torch.arange(N) // 4}, Y),
        Batches(
            [({"x": X[k : k + 20], "who": GROUP[k : k + 20]}, Y[k : k + 20]) for k in (0, 20, 40)],
            3,
        ),
    ],
    ids=["items", "loader", "names", "numbers", "batches"],
)
def test_no_group_is_in_two_parts_and_no_network_reads_it(given: Any) -> None:
    data = prepare(given, DataOptions(groups="who"))
    assert data.encoding.schema.tree == "inputs"
    assert data.encoding.groups == "who"
    for fold in data.folds:
        parts = [set((part.rows // 4).tolist()) for part in (fold.train, fold.valid)]
        assert parts[0].isdisjoint(parts[1])
        # The bootstrap draws whole groups.
        assert len(fold.valid.clusters.unique()) == len(parts[1])


def test_groups_that_are_no_key_of_the_inputs_are_refused() -> None:
    for given in ((X, Y), Plain(ITEMS), ({"x": X, "why": X}, Y)):
        with pytest.raises(InputError, match="there is no 'who': give inputs as"):
            prepare(given, DataOptions(groups="who"))
    with pytest.raises(InputError, match="one value of 'who' for each example"):
        prepare(({"x": X, "who": X}, Y), DataOptions(groups="who"))
    with pytest.raises(InputError, match="inputs of test, but there is no 'who'"):
        prepare(({"x": X, "who": GROUP}, Y), DataOptions(groups="who", test=(X, Y)))
