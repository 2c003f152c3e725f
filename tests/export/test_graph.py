from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from autoloss.data.dates import date_parts
from autoloss.export.graph import _date_parts


def test_the_calendar_is_that_of_pandas() -> None:
    chance = np.random.default_rng(0)
    seconds = chance.integers(-(10**10), 10**10, 5000).astype(np.float64)
    seconds[:4] = np.nan, 0.0, 951782400.0, -62135596800.0
    when = pd.Series(np.where(np.isnan(seconds), 0, seconds).astype("datetime64[s]"))
    wanted = date_parts(when.mask(pd.Series(seconds).isna()))
    found = _date_parts(torch.from_numpy(seconds), torch.tensor(2.0 * np.pi, dtype=torch.float64))
    assert list(found) == list(wanted)
    for name, values in found.items():
        np.testing.assert_allclose(values.numpy(), wanted[name], rtol=0, atol=1e-9)
