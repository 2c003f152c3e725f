"""A search of a program's data, with its network: from the first plan to the shipped model."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
from typer.testing import CliRunner

import autoloss
from autoloss.cli import app
from autoloss.core.errors import InputError
from autoloss.data import DataOptions, prepare
from autoloss.diagnosis.model import diagnose_model
from autoloss.experiment import own_network
from autoloss.experiment.session import SearchSession
from autoloss.inference.pyfunc import ServedModel, input_example
from autoloss.inference.tagging import write_tags
from autoloss.models.custom.check import Behaviour
from autoloss.models.custom.of_rows import to_dense
from autoloss.search import SearchResult, load_space
from autoloss.training.form import TrainingForm
from tests.few_rows import make_few_rows
from tests.spaces import SMALL

MINE = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
y = torch.arange(120) % 3
x = torch.randn(120, 1, 6, 6)
x[:, 0, 0, 0] += 2.0 * y


def train():
    return DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)


def unlabelled():
    return (x[:50],)


class Noisy(TensorDataset):
    def __getitem__(self, number):
        x, y = super().__getitem__(number)
        return x + 0.1 * torch.randn(()), y


def noisy():
    return DataLoader(Noisy(x, y), batch_size=16, num_workers=1)


class Net(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()
        )
        self.head = nn.Linear(64, num_classes)

    def forward(self, x):
        return self.head(self.net(x))
"""


def small_net(n_features: int, n_outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(n_features, 6), nn.Tanh(), nn.Linear(6, n_outputs))


class Noisy(Dataset[Any]):
    """Examples that are changed at random whenever they are read."""

    def __init__(self) -> None:
        draw = torch.Generator().manual_seed(0)
        self.y = torch.arange(120) % 2
        self.x = torch.randn(120, 4, generator=draw) + 1.5 * self.y[:, None]

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        return self.x[number] + 0.3 * torch.randn(4), int(self.y[number])


@pytest.fixture(autouse=True)
def _no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no clock decide between forms that round otherwise: one by one is exact."""

    def looped(
        network: object, behaviour: Behaviour, *rest: object, **more: object
    ) -> TrainingForm:
        return TrainingForm(False, "one by one")

    monkeypatch.setattr(own_network, "choose_form", looped)


def search(data: Any, space: Path, out: Path, *, name: str = "s", **options: Any) -> SearchResult:
    given = {"trials": 4, "model": small_net, "track": "off", **options}
    return autoloss.search(data, space=space, name=name, out=out, **given)


def shown(result: SearchResult) -> list[Any]:
    """Return losses, settings and scores of all trials."""
    return [(one.loss, one.nuisance, one.metrics) for one in result.summary.trials]


def test_the_encoded_rows_of_a_table_are_searched_like_the_table(
    small: Path, tmp_path: Path
) -> None:
    table = make_few_rows()
    expected = search(table, small, tmp_path, target="y", name="table")
    data = prepare(table, DataOptions(target="y"), protocol=load_space(small).protocol)
    encoding = data.encoding
    inputs = encoding.transform(table.drop(columns="y"))
    dense = to_dense(inputs, encoding.schema, 4)
    same = search((dense, table["y"].to_numpy()), small, tmp_path, name="tensors")
    assert shown(same) == shown(expected)


def test_groups_divide_examples_as_they_divide_the_rows_of_a_table(
    small: Path, tmp_path: Path
) -> None:
    table = make_few_rows()
    who = [f"patient {number // 3}" for number in range(len(table))]
    options = DataOptions(target="y", groups="who")
    expected = search(
        table.assign(who=who), small, tmp_path, target="y", groups="who", name="table"
    )
    data = prepare(table.assign(who=who), options, protocol=load_space(small).protocol)
    encoding = data.encoding
    dense = to_dense(encoding.transform(table.drop(columns="y")), encoding.schema, 4)
    given = ({"x": dense, "who": who}, table["y"].to_numpy())
    same = search(given, small, tmp_path, groups="who", name="tensors")
    assert shown(same) == shown(expected)
    # The network reads no group, and a new example needs none.
    model = autoloss.load(tmp_path / "tensors" / "model", model=small_net)
    found = model.predict_proba(given)
    np.testing.assert_array_equal(found, model.predict_proba(dense))


def test_candidates_together_equal_candidates_alone(small: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.toml"
    alone.write_text(SMALL.replace("together = 8", "together = 1"), encoding="utf-8")
    together = search(Noisy(), small, tmp_path)
    assert shown(search(Noisy(), alone, tmp_path, name="alone")) == shown(together)
    other = search(Noisy(), small, tmp_path, name="other", seed=1)
    assert shown(other) != shown(together)


def test_processes_that_train_and_processes_that_read_change_nothing(
    small: Path, tmp_path: Path
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(MINE, encoding="utf-8")
    given = {"model": f"{file}:Net", "trials": 3}
    alone = search(f"{file}:noisy", small, tmp_path, workers=1, **given)
    assert shown(search(f"{file}:noisy", small, tmp_path, name="2", workers=2, **given)) == shown(
        alone
    )


def test_a_loader_from_the_command_line_to_predictions(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MINE, encoding="utf-8")
    words = ["search", "mine.py:train", "--model", "mine.py:Net", "--space", str(small)]
    words += ["--trials", "4", "--name", "s", "--track", "off", "--test", "mine.py:train"]
    dry = CliRunner().invoke(app, [*words, "--dry-run"])
    assert dry.exit_code == 0, dry.stderr
    assert "120 items of inputs float32 (1, 6, 6)" in " ".join((dry.stdout + dry.stderr).split())
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 0, found.stderr
    summary = json.loads(Path("reports/s/summary.json").read_text("utf-8"))
    study = json.loads(Path("reports/s/study.json").read_text("utf-8"))
    assert study["origin"]["options"]["source"] == f"{tmp_path / 'mine.py'}:train"
    assert "mine.py:train" in summary["command"]
    again = ["--model", "mine.py:Net"]
    predict = ["predict", "s", "mine.py:unlabelled", "-o", "p.csv", *again]
    found = CliRunner().invoke(app, predict)
    assert found.exit_code == 0, found.stderr
    written = pd.read_csv("p.csv")
    model = autoloss.load("reports/s", model="mine.py:Net")
    space: dict[str, Any] = {}
    exec(compile(MINE, "mine.py", "exec"), space)
    x, y = space["x"], space["y"]
    probs = model.predict_proba(TensorDataset(x, y))
    assert (model.predict(space["train"]()) == probs.argmax(1)).all()
    assert written.iloc[:, 1:].to_numpy() == pytest.approx(probs[:50], abs=1e-6)
    arrays = pd.DataFrame({"inputs": list(x.numpy())})
    for same in (
        (x, y),
        (x,),
        x,
        TensorDataset(x),
        DataLoader(TensorDataset(x, y), batch_size=7),
        arrays,
    ):
        assert model.predict_proba(same) == pytest.approx(probs)
    with pytest.raises(InputError, match=r"'inputs' of shape \(1, 6, 6\) in every row"):
        model.predict(pd.DataFrame({"inputs": [np.zeros(3)]}))
    served = ServedModel(model)
    assert len(served.predict(input_example(model))) == 1
    nested = pd.DataFrame({"inputs": arrays["inputs"].map(lambda one: one.tolist())})
    assert served.predict(nested)["prediction"].tolist() == probs.argmax(1).tolist()
    diagnosis = ["diagnose", "s", "mine.py:train", "-o", "d.html", *again]
    found = CliRunner().invoke(app, diagnosis)
    assert found.exit_code == 0, found.stderr


def test_a_study_goes_on_with_the_same_data(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Noisy()

    def stop(session: SearchSession, *_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SearchSession, "search", stop)
        with pytest.raises(KeyboardInterrupt):
            search(data, small, tmp_path)
    with pytest.raises(InputError, match="data must be given to continue"):
        autoloss.resume("s", out=tmp_path, model=small_net)
    with pytest.raises(InputError, match="changed"):
        autoloss.resume("s", out=tmp_path, model=small_net, data=(data.x + 1.0, data.y.flip(0)))
    resumed = autoloss.resume("s", out=tmp_path, model=small_net, data=data)
    assert shown(resumed) == shown(search(data, small, tmp_path, name="whole"))


def test_several_labels_of_an_example(small: Path, tmp_path: Path) -> None:
    data = Noisy()
    labels = torch.stack([data.y, data.x[:, 0] > 0.5, data.x[:, 1] > 0.0], 1).float()
    result = search((data.x, labels), small, tmp_path)
    assert result.summary.data.task == "multilabel"
    assert result.model.predict_proba((data.x,)).shape == (120, 3)


class Tagger(nn.Module):
    """A module of tokens by name, which reads no pads."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(9, 8)
        self.mix = nn.Conv1d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, n_outputs)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden = self.embed(input_ids) * attention_mask[..., None]
        mixed = self.mix(hidden.transpose(1, 2)).transpose(1, 2)
        found: Tensor = self.head(torch.tanh(hidden + mixed))
        return found


def test_tags_of_tokens(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = torch.Generator().manual_seed(0)
    codes = torch.randint(1, 9, (90, 7), generator=draw)
    mask = (torch.arange(7) < torch.randint(2, 8, (90, 1), generator=draw)).long()
    codes = codes * mask
    tags = torch.where(mask == 1, codes % 3, -100)
    inputs = {"input_ids": codes, "attention_mask": mask}
    result = search((inputs, tags), small, tmp_path, model=Tagger)
    assert result.summary.data.task == "sequence"
    predicted = result.model.predict(inputs)
    assert [len(one) for one in predicted] == mask.sum(1).tolist()
    held = types.ModuleType("held_by_the_test_of_tags")
    held.__dict__["data"] = (inputs, tags)
    monkeypatch.setitem(sys.modules, held.__name__, held)
    assert write_tags(result.model, f"{held.__name__}:data", tmp_path / "t.jsonl") == 90
    written = pd.read_json(tmp_path / "t.jsonl", lines=True)
    assert list(written.columns) == ["item", "prediction", "probability"]
    assert written["prediction"][3] == predicted[3].tolist()
    diagnosis = diagnose_model(result.model, (inputs, tags))
    assert diagnosis.rows == int((tags >= 0).sum())
    assert diagnosis.surface is not None, diagnosis.surface_reason
    probs = result.model.predict_proba((inputs, tags))
    alone = {name: one[:1] for name, one in inputs.items()}
    assert result.model.predict_proba(alone)[0] == pytest.approx(probs[0], abs=1e-5)
    loaded = autoloss.load(tmp_path / "s", model=Tagger)
    assert loaded.predict_proba(inputs)[5] == pytest.approx(probs[5])
    assert len(ServedModel(loaded).predict(input_example(loaded))) == 1


def test_the_built_in_network_reads_no_tensors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="model must be a custom network"):
        autoloss.plan((torch.randn(60, 3), torch.arange(60) % 2))
    found = CliRunner().invoke(app, ["search", "nowhere.py:data", "--model", "nowhere.py:Net"])
    assert (found.exit_code, found.stderr.count("\n")) == (2, 1)
