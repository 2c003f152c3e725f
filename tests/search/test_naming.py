from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoloss.core.errors import InputError
from autoloss.search import check_name, safe_name


@given(st.text())
def test_a_safe_name_is_allowed_and_an_allowed_name_is_kept(text):
    name = safe_name(text)
    assert check_name(name) == name
    assert safe_name(name) in (name, name.rstrip("-._"))


@pytest.mark.parametrize(
    "name",
    ["", "a/b", "a\\b", "..", ".hidden", "con", "NUL.txt", "lpt1", "a.", "ä", "x" * 81, "a b"],
)
def test_names_that_no_folder_should_have_are_refused(name):
    with pytest.raises(InputError, match="A study's name must"):
        check_name(name)
