from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoloss.cli.duration import seconds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("90s", 90.0),
        ("10m", 600.0),
        ("1h30m", 5400.0),
        ("2d", 172_800.0),
        ("45", 45.0),
        ("0.5", 0.5),
        ("1.5h", 5400.0),
        (" 10M ", 600.0),
        ("1h1m1s", 3661.0),
    ],
)
def test_durations_as_people_write_them(text, value) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    "text",
    ["", "0", "0s", "-5", "-5m", "ten", "5 q", "m", "1m1h", "1m 1m", "inf", "nan", "1e3", "١s"],
)
def test_anything_else_is_a_mistake(text) -> None:
    with pytest.raises(ValueError, match="positive duration"):
        seconds(text)


@given(st.integers(0, 99), st.integers(0, 99), st.integers(1, 99))
def test_parts_add_up(hours, minutes, rest) -> None:
    assert seconds(f"{hours}h{minutes}m{rest}s") == hours * 3600 + minutes * 60 + rest
