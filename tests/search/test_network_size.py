"""The network for the rows of a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import autoloss
from autoloss.core.settings import NetworkConfig
from tests.spaces import SMALL


@pytest.mark.parametrize(("rows", "depth"), [(99, 1), (100, 2), (5_000, 2)])
def test_a_large_table_gets_a_hidden_layer_more(rows: int, depth: int) -> None:
    sized = NetworkConfig(depth=1, deeper_from=100).sized(rows)
    assert sized.depth == depth
    assert sized.sized(rows) == sized
    assert NetworkConfig(depth=1).sized(rows).depth == 1


def test_all_trainings_of_a_search_have_the_depth_of_the_whole_table(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(240, 3)), columns=list("abc"))
    frame["y"] = (frame["a"] + rng.normal(size=240) > 0).astype(int)
    space = tmp_path / "small.toml"
    # No part has as many rows as the table.
    deeper = SMALL.replace("[network]\n", "[network]\ndeeper_from = 240\n")
    assert deeper != SMALL
    space.write_text(deeper, encoding="utf-8")
    given = {"space": space, "trials": 8, "track": "off", "device": "cpu", "out": tmp_path}
    planned = autoloss.plan(frame, "y", space=space, trials=8)
    assert planned.network.startswith("3 hidden layers")
    result = autoloss.search(frame, "y", refit=True, **given)
    assert result.model.config.depth == result.summary.settings["depth"] == 3
    assert autoloss.load(tmp_path / result.summary.name / "model").config.depth == 3
