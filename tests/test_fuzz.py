"""A search over a small odd table works, or ends with an error of one line."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import autoloss
from autoloss.core.errors import InputError
from tests.data.test_fuzz import CELLS, TARGETS, frames
from tests.faults.counts import times
from tests.spaces import SMALL


@st.composite
def promising_frames(draw: st.DrawFn) -> pd.DataFrame:
    """Frames of a kind that is rarely refused, with one odd column."""
    n_rows = draw(st.sampled_from([40, 60, 90]))
    odd = draw(st.lists(CELLS[draw(st.sampled_from(sorted(CELLS)))], min_size=2, max_size=9))
    labels = draw(st.lists(TARGETS[draw(st.sampled_from(["two", "flags", "rare"]))], min_size=6))
    return pd.DataFrame(
        {
            "number": [(i * 37 % 11) / 3 for i in range(n_rows)],
            "odd": pd.Series([odd[i * 7 % len(odd)] for i in range(n_rows)]),
            "target": pd.Series([labels[i * i % len(labels)] for i in range(n_rows)]),
        }
    )


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("space") / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.mark.faults
@settings(max_examples=times(60, few=12), suppress_health_check=list(HealthCheck))
@given(frame=st.one_of(promising_frames(), frames()), seed=st.integers(0, 3))
def test_odd_tables_are_searched_or_end_in_one_line(
    space: Path, frame: pd.DataFrame, seed: int
) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as out:
        result, message = None, ""
        try:
            result = autoloss.search(
                frame, "target", space=space, trials=4, seed=seed, out=out, track="off"
            )
        except InputError as error:
            message = str(error)
        if result is None:
            assert message.strip()
            assert len(message.splitlines()) == 1
            assert not list(Path(out).glob("*/study.json"))
            return
        assert result.verdict.decision in {"better", "no_evidence", "worse", "undecided"}
        assert result.model is not None
        probs = result.model.predict_proba(frame.head(5))
        assert all(math.isfinite(p) for p in probs.flatten())
        assert (Path(out) / result.summary.name / "report.html").stat().st_size > 50_000
