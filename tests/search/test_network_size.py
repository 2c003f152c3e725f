"""The network for the rows of a table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import autoloss
from autoloss.core.settings import NetworkConfig
from autoloss.search import Study, load_space
from tests.spaces import SMALL


@pytest.mark.parametrize(("rows", "depth"), [(99, 1), (100, 2), (5_000, 2)])
def test_a_large_table_gets_a_hidden_layer_more(rows: int, depth: int) -> None:
    sized = NetworkConfig(depth=1, deeper_from=100).sized(rows, 2)
    assert sized.depth == depth
    assert sized.sized(rows, 2) == sized
    assert NetworkConfig(depth=1).sized(rows, 2).depth == 1


@pytest.mark.parametrize(
    ("rows", "classes", "width"), [(99, 7, 128), (99, 8, 192), (100, 2, 192), (5, 2, 128)]
)
def test_a_small_table_with_few_classes_gets_narrow_layers(
    rows: int, classes: int, width: int
) -> None:
    network = NetworkConfig(width=192, deeper_from=100, narrow_below=8)
    sized = network.sized(rows, classes)
    assert sized.width == width
    # A stored model has the size that was trained.
    assert sized.sized(rows, classes) == sized
    assert replace(network, narrow_below=0).sized(rows, classes).width == 192
    assert load_space("default").network.sized(rows, classes).width == (
        192 if classes > 7 else 128
    )


def test_all_training_runs_of_a_search_have_the_depth_of_the_whole_table(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(240, 3)), columns=list("abc"))
    frame["y"] = (frame["a"] + rng.normal(size=240) > 0).astype(int)
    space = tmp_path / "small.toml"
    # No part has as many rows as the table.
    sizes = "deeper_from = 240\nnarrow_below = 8\n"
    deeper = SMALL.replace("[network]\n", f"[network]\n{sizes}")
    assert deeper != SMALL
    space.write_text(deeper, encoding="utf-8")
    given = {"space": space, "trials": 8, "track": "off", "device": "cpu", "out": tmp_path}
    planned = autoloss.plan(frame, "y", space=space, trials=8)
    assert planned.network.startswith("3 hidden layers")
    result = autoloss.search(frame, "y", refit=True, **given)
    assert result.model.config.depth == result.summary.settings["depth"] == 3
    assert autoloss.load(tmp_path / result.summary.name / "model").config.depth == 3


def test_all_training_runs_of_a_search_are_narrow_for_few_classes(tmp_path: Path) -> None:
    space = tmp_path / "small.toml"
    space.write_text(
        SMALL.replace("[network]\nwidth = 16\n", "[network]\nwidth = 24\nnarrow_below = 4\n"),
        encoding="utf-8",
    )
    assert "2 hidden layers of 16" in autoloss.plan("sklearn:iris", space=space).network
    result = autoloss.search(
        "sklearn:iris", space=space, trials=8, track="off", device="cpu", out=tmp_path
    )
    assert result.model.config.width == result.summary.settings["width"] == 16


@pytest.mark.parametrize(("device", "size"), [("cpu", (32, 2)), ("cuda", (64, 4))])
def test_images_have_a_larger_network_on_a_gpu(device: str, size: tuple[int, int]) -> None:
    network = load_space("image").network.trained_on(device)
    assert (network.width, network.depth) == size
    # A study that began on one device goes on with another.
    for other in ("cpu", "cuda"):
        assert network.trained_on(other) == network


def test_a_study_keeps_the_network_of_the_device_that_it_began_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = tmp_path / "small.toml"
    space.write_text(
        SMALL.replace("[network]\n", "[network]\ngpu_width = 24\ngpu_depth = 3\n"),
        encoding="utf-8",
    )
    given = {"space": space, "trials": 8, "device": "cpu"}
    usual = autoloss.plan("sklearn:iris", **given).network
    # The start of a search has the size for a GPU; the training runs are on the CPU.
    of_device = NetworkConfig.trained_on
    monkeypatch.setattr(NetworkConfig, "trained_on", lambda network, _: of_device(network, "cuda"))
    result = autoloss.search("sklearn:iris", track="off", out=tmp_path, name="one", **given)
    monkeypatch.undo()
    assert "3 hidden layers of 24" not in usual
    assert (result.model.config.width, result.model.config.depth) == (24, 3)
    network = Study.open("one", out=tmp_path).space.network
    assert (network.width, network.depth) == (24, 3)
    assert network == network.trained_on("cuda")
