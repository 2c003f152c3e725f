"""The interface of a metric by which two models are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from autoloss.verdict.paired import PairedTest
from autoloss.verdict.resampling import IntArray


class NamedMetric(Protocol):
    """A metric as a function of probabilities (N, C) and classes (N,)."""

    @property
    def name(self) -> str:
        """Return its name."""

    @property
    def lower_is_better(self) -> bool:
        """Return its direction."""

    @property
    def is_of_trainings(self) -> bool:
        """Return whether whole training runs are compared, because no bootstrap of rows serves."""

    @property
    def paired(self) -> PairedTest | None:
        """Return the comparison of paired training runs; None if rows are compared."""

    @property
    def fn(self) -> Callable[..., float]:
        """Return the function."""

    def among(self, rows: IntArray | slice) -> NamedMetric:
        """Return the metric as a function of some of the rows."""

    def quotient(
        self, probs: npt.NDArray[Any], targets: npt.NDArray[Any]
    ) -> npt.NDArray[np.float64] | None:
        """Return each row's part in numerator and denominator, (N, 2); None without them."""
