from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from scipy.io import arff as scipy_arff

from autoloss.core.errors import InputError
from autoloss.data import read_table

HEAD = "% a comment\n@RELATION toy\n\n"


def _write(path: Path, text: str) -> Path:
    path.write_text(HEAD + text, encoding="utf-8")
    return path


def test_attributes_have_their_declared_types(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "toy.arff",
        "@ATTRIBUTE size REAL\n@attribute 'the colour' {red, 'dark blue', \"it's\"}\n"
        "@attribute grade {1,2,3}\n@attribute remark string\n@DATA\n"
        "1.5, red, 1, 'a, b'\n% in between\n?, 'dark blue', 3, ?\n2e1,\"it's\",2,'it\\'s'\n",
    )
    read = read_table(path)
    assert list(read.columns) == ["size", "the colour", "grade", "remark"]
    assert read["size"].tolist()[0] == 1.5
    assert read["size"].isna().tolist() == [False, True, False]
    assert read["the colour"].tolist() == ["red", "dark blue", "it's"]
    # Nominal numbers are labels, not quantities.
    assert isinstance(read["grade"].dtype, pd.CategoricalDtype)
    assert read["remark"].tolist()[0] == "a, b"
    assert read["remark"].tolist()[2] == "it's"


def test_equals_scipy_on_what_scipy_reads(tmp_path: Path) -> None:
    rows = "".join(f"{i / 7:.6f},{i},{'abc'[i % 3]}\n" for i in range(50))
    path = _write(
        tmp_path / "toy.arff",
        f"@attribute x numeric\n@attribute n integer\n@attribute y {{a,b,c}}\n@data\n{rows}",
    )
    oracle = pd.DataFrame(scipy_arff.loadarff(path)[0])
    read = read_table(path)
    assert read["x"].tolist() == oracle["x"].tolist()
    assert read["n"].tolist() == oracle["n"].tolist()
    assert read["y"].tolist() == [label.decode() for label in oracle["y"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@attribute a numeric\n@data\n{0 1}\n", "line 6 is sparse"),
        ("@attribute a {x,y}\n@data\nx\nz\n", "line 7 has 'z'"),
        ("@attribute a numeric\n@data\nabc\n", "a number"),
        ("@attribute a numeric\n@data\n1,2\n", "line 6 has 2"),
        ("@attribute a relational\n@data\n1\n", "relational"),
        ("@attribute a {x,y\n@data\nx\n", "braces"),
        ("@attribute a\n@data\nx\n", "line 4"),
        ("@attribute a numeric\n", "@data"),
        ("@data\n1\n", "@attribute"),
        ("a,b\n1,2\n", "line 4"),
        ("@attribute a numeric\n@data\n", "header only"),
    ],
)
def test_a_broken_file_is_refused_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected) as caught:
        read_table(_write(tmp_path / "toy.arff", text))
    assert "\n" not in str(caught.value)
