from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import qmc

from autoloss.search.halton import halton_point


@pytest.mark.parametrize("dimensions", [1, 2, 3, 10])
def test_points_are_those_of_scipy(dimensions: int) -> None:
    expected = qmc.Halton(dimensions, rng=np.random.default_rng(7)).random(40)
    points = [halton_point(i, dimensions, np.random.default_rng(7)) for i in range(40)]
    np.testing.assert_allclose(points, expected, rtol=0, atol=1e-15)
