"""Mistakes in a custom network are reported in one line, before any training."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from autoloss.core.errors import InputError
from autoloss.models import OwnModel, OwnNetwork
from autoloss.models.custom.check import Behaviour, check_network
from autoloss.models.custom.own import open_model
from tests.training.conftest import N_CLASSES, make_part, make_schema
from tests.training.test_own_network import MODULES


def check(make: object) -> Behaviour:
    model = open_model(make)  # type: ignore[arg-type]
    assert model is not None
    network = OwnNetwork(make_schema(), N_CLASSES, model)
    return check_network(network, make_part(16, 0).inputs)


def of(*layers: object) -> object:
    """Return a function that makes a module with the given last layers."""

    def make(n_features: int, n_outputs: int) -> nn.Module:
        made = [layer() if isinstance(layer, type) else layer for layer in layers]
        return nn.Sequential(nn.Linear(n_features, n_outputs), *made)

    return make


class Called(nn.Module):
    """A module that applies a function to its input."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.function(self, x)  # type: ignore[no-any-return, operator]


def called(function: object) -> object:
    return lambda f, c: nn.Sequential(nn.Linear(f, c), Called(function))


def fails(n_features: int, n_outputs: int) -> nn.Module:
    raise KeyError("no such layer")


def lazy(n_features: int, n_outputs: int) -> nn.Module:
    return nn.LazyLinear(n_outputs)


def by_numpy(n_features: int, n_outputs: int) -> nn.Module:
    net = nn.Linear(n_features, n_outputs)
    nn.init.constant_(net.bias, np.random.default_rng().random())
    return net


class Keeping(nn.Module):
    """A module that keeps its weights in a list of copies."""

    def __init__(self, n_features: int, n_outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_features, n_outputs)
        self.copies = [self.linear.weight.detach().clone()]

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.copies[0], self.linear.bias)


class Recurrent(nn.Module):
    """A module whose layer has weights that it also holds in a list."""

    def __init__(self, n_features: int, n_outputs: int) -> None:
        super().__init__()
        self.layer = nn.LSTM(1, 4, batch_first=True)
        self.last = nn.Linear(4, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        last: Tensor = self.last(self.layer(x.unsqueeze(-1))[0][:, -1])
        return last


def changed_in_place(self: nn.Module, x: Tensor) -> Tensor:
    hidden = x.sigmoid()
    hidden += 1
    return hidden


class Failing(torch.autograd.Function):
    """A function whose backward pass fails."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: object, slope: Tensor) -> Tensor:
        raise ValueError("no slope here")


def counting(n_features: int, n_outputs: int) -> nn.Module:
    net = nn.Linear(n_features, n_outputs)
    net.register_buffer("large", torch.tensor(2**24 + 1))
    return net


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (fails, "KeyError: 'no such layer'"),
        (lambda f, c: 3, "must return a torch.nn.Module, but <lambda> returned int"),
        (lambda f: nn.Linear(f, 3), "TypeError"),
        (lambda f, c: nn.Identity(), "must have parameters to train"),
        (lambda f, c: nn.Linear(f, 1), "logits (16, 3), but <lambda> gave float32 (16, 1)"),
        (lambda f, c: nn.Linear(f + 1, c), "must run on a batch, but <lambda> gave Runtime"),
        (called(lambda self, x: {"scores": x}), "gave dict"),
        (called(lambda self, x: (x[0], x)), "gave float32 (3,)"),
        (called(lambda self, x: x.argmax(1)), "gave int64 (16,)"),
        (called(lambda self, x: x * torch.nan), "finite logits"),
        (called(lambda self, x: x.detach()), "depend on its parameters"),
        (called(changed_in_place), "be trainable, but <lambda> raises RuntimeError (in-place"),
        (of(nn.Sigmoid(), nn.ReLU(inplace=True)), "h = h + 1"),
        (called(lambda self, x: Failing.apply(x)), "in the backward pass ValueError: no slope"),
        (called(lambda self, x: (x * 0.0).sqrt() * x.mean()), "finite gradients"),
        (called(lambda self, x: x * self.calls), "register_buffer"),
        (called(lambda self, x: x + np.random.default_rng().random()), "torch's random numbers"),
        (called(lambda self, x: functional.dropout(x, 0.5)), "eval mode"),
        (called(lambda self, x: x - x.mean(0)), "beside any other rows"),
        (called(lambda self, x: x.squeeze()), "logits (1, 3), but"),
        (lazy, "is lazy"),
        (by_numpy, "the same first weights under the same seed"),
        (counting, "float32 can hold"),
        (Keeping, "keeps some of it elsewhere"),
    ],
)
@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_what_cannot_be_trained(make: object, words: str) -> None:
    with pytest.raises(InputError, match=r"^model must ") as told:
        check(make)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_how_modules_behave() -> None:
    found = {name: check(make) for name, make in MODULES.items()}
    assert [one.draws for one in found.values()] == [False, True, True, False]
    assert [bool(one.refusal) for one in found.values()] == [False, False, False, True]
    assert all(one.agrees for one in list(found.values())[:3])
    assert "vmap cannot call the module" in found["averaged"].refusal


def test_what_vmap_would_call_row_by_row_is_looped() -> None:
    def make(n_features: int, n_outputs: int) -> nn.Module:
        return nn.Sequential(
            nn.Linear(n_features, 8),
            nn.Unflatten(1, (2, 4)),
            nn.TransformerEncoderLayer(4, 1, 8, dropout=0.3, batch_first=True),
            nn.Flatten(),
            nn.Linear(8, n_outputs),
        )

    refusal = check(make).refusal
    assert refusal.startswith("torch.func.vmap has no rule for _scaled_dot_product")
    assert len(refusal) < 100
    assert "cannot call the module" in check(Recurrent).refusal


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("net", "model must be auto or FILE.py:NAME, but got model='net'"),
        ("net.py", "FILE.py:NAME"),
        ("nowhere.py:make", "model='nowhere.py': No such file"),
        ("net.py:mak", "it has no 'mak', did you mean 'make'?"),
        ("net.py:number", "number of net.py is int"),
        ("broken.py:make", "but got line 1: ZeroDivisionError"),
        (7, "but got int"),
    ],
)
def test_what_is_no_network(
    given: object, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("number = 3\ndef make(f, c): return 1\n", encoding="utf-8")
    Path("broken.py").write_text("1 / 0\n", encoding="utf-8")
    with pytest.raises(InputError) as told:
        open_model(given)  # type: ignore[arg-type]
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_a_file_may_import_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "autoloss_test_parts.py").write_text("from torch.nn import Linear\n")
    file = tmp_path / "net.py"
    file.write_text("from autoloss_test_parts import Linear\n", encoding="utf-8")
    before = list(sys.path)
    try:
        model = open_model(f"{file}:Linear")
    finally:
        sys.path[:] = before
    assert model is not None
    assert model.make is nn.Linear


def test_a_file_is_run_once_and_its_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(
        "import torch\nran = []\ndef make(f, c):\n    return torch.nn.Linear(f, c, nonsense=1)\n",
        encoding="utf-8",
    )
    one, other = open_model(f"{file}:make"), open_model(f"{file}:make")
    sizes = {"n_features": 3, "n_outputs": 2}
    assert one is not None
    assert other is not None
    assert one.make is other.make
    with pytest.raises(InputError, match=r"net\.py, line 4: TypeError"):
        one.module(sizes, 0, example=None)
    file.write_text("import torch\ndef make(f, c):\n    return torch.nn.Linear(f, c)\n")
    assert open_model(f"{file}:make").make is not one.make  # type: ignore[union-attr]
    again = pickle.loads(pickle.dumps(open_model(f"{file}:make")))
    assert isinstance(again, OwnModel)
    assert isinstance(again.module(sizes, 0, example=None), nn.Linear)


def test_first_weights_are_those_of_torchs_seed() -> None:
    model = open_model(MODULES["plain"])
    assert model is not None
    network = OwnNetwork(make_schema(), N_CLASSES, model)
    torch.manual_seed(9)
    own = MODULES["plain"](network.encoded_width, N_CLASSES)
    row = network.initial(torch.Generator().manual_seed(9))
    views = network.layout.views(row[None])
    for name, one in own.named_parameters():
        torch.testing.assert_close(views[name][0].float(), one.detach(), rtol=0, atol=0)
