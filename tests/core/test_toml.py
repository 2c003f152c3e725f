from __future__ import annotations

import math
import tomllib

from hypothesis import given
from hypothesis import strategies as st

from autoloss.core.toml import toml_text

# TOML has no surrogates.
TEXT = st.text(st.characters(exclude_categories=("Cs",)))
PLAIN = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXT
KEYS = st.from_regex(r"[a-z_]+", fullmatch=True)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=5
)


@given(st.dictionaries(KEYS, VALUES))
def test_written_text_is_read_as_the_same_values(values: dict[str, object]) -> None:
    assert tomllib.loads(toml_text(values)) == values


def test_nan_is_written_as_toml_has_it() -> None:
    assert math.isnan(tomllib.loads(toml_text({"a": math.nan}))["a"])
