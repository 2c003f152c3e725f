from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch

from autoloss.core.settings import NetworkConfig
from autoloss.data import TableInputs
from autoloss.models import Layout, TableNetwork, waves
from autoloss.models.bags import bag
from tests.training.conftest import make_part, make_schema


def network(**config: object) -> TableNetwork:
    settings = NetworkConfig(**{"width": 16, "bins": 4, **config})  # type: ignore[arg-type]
    return TableNetwork(make_schema(), 3, settings)


def rows(net: TableNetwork, n: int) -> torch.Tensor:
    return torch.stack([net.initial(torch.Generator().manual_seed(k)) for k in range(n)])


def take(n: int) -> TableInputs:
    return make_part(n, 0).inputs.take(torch.arange(n).unsqueeze(0))


def test_views_tile_a_row_without_a_gap() -> None:
    layout = Layout({"a": (2, 3), "b": (4,), "c": (1, 1)})
    values = torch.arange(2.0 * layout.size).view(2, -1)
    views = layout.views(values)
    assert {name: tuple(view.shape) for name, view in views.items()} == {
        "a": (2, 2, 3),
        "b": (2, 4),
        "c": (2, 1, 1),
    }
    again = torch.stack([layout.row({n: v[k] for n, v in views.items()}) for k in range(2)])
    assert torch.equal(again, values)
    with pytest.raises(ValueError, match=r"\(K, 11\)"):
        layout.views(values[:, 1:])


def test_the_text_says_the_size() -> None:
    net = network()
    text = f"2 hidden layers of 16, {net.encoded_width} inputs with up to 4 quantile bins of a"
    assert net.text.startswith(text)
    assert net.text.endswith(f" {rows(net, 1).numel():,} weights")
    plain = network(bins=0, depth=1)
    assert "1 hidden layer of 16" in plain.text
    assert "bins" not in plain.text


@pytest.mark.parametrize("numbers", ["bins", "waves"])
def test_stacked_candidates_give_what_each_gives_alone(numbers: str) -> None:
    net = network(numbers=numbers)
    weights = rows(net, 3)
    features = net.encode(take(9))
    together = net.body(net.layout.views(weights), features)
    assert together.shape == (3, 9, 3)
    for k in range(3):
        alone = net.body(net.layout.views(weights[k : k + 1]), features)
        torch.testing.assert_close(together[k], alone[0])


@pytest.mark.parametrize("numbers", ["bins", "waves"])
def test_orders_give_each_candidate_its_own_batch(numbers: str) -> None:
    net = network(numbers=numbers)
    weights = net.layout.views(rows(net, 3))
    part = make_part(12, 0)
    batches = torch.arange(12).view(2, 6)
    orders = torch.tensor([1, 0, 1])
    logits = net.body(weights, net.encode(part.inputs.take(batches)), orders)
    for k, order in enumerate(orders.tolist()):
        features = net.encode(part.inputs.take(batches[order].unsqueeze(0)))
        torch.testing.assert_close(logits[k], net.body(weights, features)[k])


def test_the_piecewise_linear_encoding_rises_through_its_bins() -> None:
    schema = replace(make_schema(), n_numeric=1, edges=torch.tensor([[0.0, 1.0, 3.0, 3.0, 3.0]]))
    schema = replace(schema, cardinalities=(), texts=(), has_missing=(True,))
    net = TableNetwork(schema, 2, NetworkConfig(width=4, bins=4))
    numbers = torch.tensor([[-1.0], [0.5], [2.0], [9.0], [torch.nan]])
    empty = torch.empty(5, 0)
    encoded = net.encode(TableInputs(numbers, empty.long(), empty.int(), empty))["dense"]
    assert encoded.shape == (5, net.encoded_width)
    assert encoded[:, 0].tolist() == [-1.0, 0.5, 2.0, 9.0, 0.0]
    assert encoded[:, 1].tolist() == [0.0, 0.0, 0.0, 0.0, 1.0]
    assert encoded[:, 2].tolist() == [0.0, 0.5, 1.0, 1.0, 0.0]
    assert encoded[:, 3].tolist() == [0.0, 0.0, 0.5, 1.0, 0.0]
    # The edges that only fill up are no bins.
    assert net.encoded_width == 4
    assert bool(encoded.isfinite().all())


def test_learnt_frequencies_embed_each_number_by_its_own_cosines() -> None:
    net, plain = network(numbers="waves"), network(bins=0)
    weights, inputs = net.layout.views(rows(net, 2)), take(5)
    features = net.encode(inputs)
    assert "learnt frequencies" in net.text
    assert "bins" not in net.text
    # The numbers enter as they are too, and nothing of a bin does.
    torch.testing.assert_close(features["dense"], plain.encode(inputs)["dense"])
    count = net.schema.n_numeric
    numeric = inputs.numeric.nan_to_num()[0]
    expected = torch.zeros(2, 5, 4 * count)
    for k, row, column in itertools.product(range(2), range(5), range(count)):
        angles = 2 * math.pi * weights["frequency"][k, column] * numeric[row, column]
        cosines = torch.cos(angles + weights["phase"][k, column])
        own = weights["wave.weight"][k, column] @ cosines + weights["wave.bias"][k, column]
        expected[k, row, 4 * column : 4 * column + 4] = own
    found = waves.embed(weights, features["numbers"])
    torch.testing.assert_close(found, expected)
    hidden = torch.cat([features["dense"].expand(2, -1, -1), expected], -1)
    hidden = torch.cat([hidden, bag(weights["terms"], features["terms"], features["shares"])], -1)
    looked_up = torch.stack([weights["embedding"][k][features["codes"][0]] for k in range(2)])
    hidden = torch.cat([hidden, looked_up.flatten(2)], -1)
    first = weights["hidden.0.weight"]
    assert first.shape[2] == hidden.shape[2]


def test_frequencies_are_normal_and_phases_uniform_at_the_start() -> None:
    net = network(numbers="waves")
    drawn = net.layout.views(rows(net, 400))
    frequency, phase = drawn["frequency"], drawn["phase"]
    assert float(frequency.std()) == pytest.approx(0.1, rel=0.05)
    assert float(phase.abs().max()) <= math.pi
    assert float(phase.std()) == pytest.approx(math.pi / math.sqrt(3.0), rel=0.05)


def test_terms_have_weights_for_the_units_of_the_first_layer() -> None:
    net = network(depth=1, normalise=False, text_width=0)
    weights, features = net.layout.views(rows(net, 2)), net.encode(take(5))
    assert weights["terms"].shape == (2, 50, net.config.width)
    table = bag(weights["terms"], features["terms"], features["shares"])
    found = net.hidden(weights, features)
    without = {**weights, "terms": torch.zeros_like(weights["terms"])}
    empty = {**without, "hidden.0.bias": weights["hidden.0.bias"] + 100.0}
    sums = net.hidden(empty, features) - 100.0
    torch.testing.assert_close(found, (sums + table).relu(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("numbers", "text_width"), [("bins", 8), ("waves", 8), ("bins", 0)])
def test_every_kind_of_column_reaches_the_logits(numbers: str, text_width: int) -> None:
    net = network(numbers=numbers, text_width=text_width)
    weights = net.layout.views(rows(net, 1))
    inputs = take(2)
    before = net.body(weights, net.encode(inputs))
    changed = [
        replace(inputs, numeric=inputs.numeric.nan_to_num() + 1.0),
        replace(inputs, numeric=torch.full_like(inputs.numeric, torch.nan)),
        replace(inputs, categories=(inputs.categories + torch.tensor([1, 0])) % 4),
        replace(inputs, categories=(inputs.categories + torch.tensor([0, 1])) % 40),
        replace(inputs, terms=(inputs.terms + 1) % 20),
        replace(inputs, shares=inputs.shares + 1.0),
    ]
    for other in changed:
        assert not torch.allclose(net.body(weights, net.encode(other)), before, atol=1e-6)


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_width_and_depth_are_what_the_config_says(depth: int, normalise: bool) -> None:
    net = network(depth=depth, normalise=normalise)
    assert sum(name.startswith("hidden") for name in net.layout.shapes) == 2 * depth
    logits = net.body(net.layout.views(rows(net, 2)), net.encode(take(4)))
    assert logits.shape == (2, 4, 3)
