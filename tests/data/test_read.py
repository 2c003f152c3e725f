from __future__ import annotations

import gzip
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autoloss.core.errors import InputError
from autoloss.data import read_table
from autoloss.data.delimited import find_delimiter
from autoloss.data.read import load_table
from autoloss.data.stream import open_rows


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {"age": [31, 42, 53], "size": [1.5, np.nan, -2.0], "town": ["Köln", "Bern", None]}
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_and_encoding_are_found(
    tmp_path: Path, frame: pd.DataFrame, encoding: str, delimiter: str
) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(frame.to_csv(index=False, sep=delimiter).encode(encoding))
    read = read_table(path)
    pd.testing.assert_frame_equal(read, frame, check_dtype=False)


def test_older_encodings_are_said(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes("name,y\nMüller,1\n".encode("cp1252"))
    table = load_table(path)
    assert table.frame["name"].tolist() == ["Müller"]
    assert "cp1252" in table.notes[0]


@pytest.mark.parametrize("form", ["parquet", "feather"])
def test_columnar_files_keep_their_types(tmp_path: Path, frame: pd.DataFrame, form: str) -> None:
    path = tmp_path / f"table.{form}"
    frame["when"] = pd.to_datetime(["2024-01-01", "2024-02-01", None])
    frame["level"] = pd.Categorical(["a", "b", "a"])
    getattr(frame, f"to_{form}")(path)
    pd.testing.assert_frame_equal(read_table(path), frame, check_dtype=False)


def test_quoted_cells_hold_delimiters_and_lines(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('a,b\n"one, two","x\ny"\n"say ""hi""",z\n', encoding="utf-8")
    read = read_table(path)
    assert read["a"].tolist() == ["one, two", 'say "hi"']
    assert read["b"].tolist() == ["x\ny", "z"]


def test_stray_quotes_do_not_break_a_tab_separated_file(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    path.write_text('a\tb\n"one\t1\ntwo\t2\nthree\t3\n', encoding="utf-8")
    assert read_table(path)["b"].tolist() == [1, 2, 3]


def test_cells_become_numbers_only_without_loss(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(
        "whole,broken,code,flag,gap,mixed,infinite\n"
        "1,1.5,007,true,,a,inf\n+2,2e3,012,False,?,1,-inf\n-3,NA,120,TRUE,NA,2,0.5\n",
        encoding="utf-8",
    )
    read = read_table(path)
    assert read["whole"].tolist() == [1, 2, -3]
    assert read["broken"].tolist()[:2] == [1.5, 2000.0]
    assert read["code"].tolist() == ["007", "012", "120"]
    assert read["flag"].tolist() == [True, False, True]
    assert read["gap"].isna().all()
    assert read["mixed"].tolist() == ["a", "1", "2"]
    assert np.isinf(read["infinite"]).tolist() == [True, True, False]


@pytest.mark.parametrize("name", ["breast_cancer", "digits", "iris", "wine"])
def test_sets_of_scikit_learn_have_a_target(name: str) -> None:
    table = load_table(f"sklearn:{name}")
    assert table.target == "target"
    assert table.frame["target"].nunique() in (2, 3, 10)


def test_repeated_names_are_numbered(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,a,,a (2),a\n1,2,3,4,5\n", encoding="utf-8")
    frame = pd.DataFrame([[1, 2, 3, 4, 5]], columns=["a", "a", "", "a (2)", "a"])
    for source in (path, frame):
        table = load_table(source)
        assert list(table.frame.columns) == ["a", "a (3)", "column 3", "a (2)", "a (4)"]
        assert table.repeated == (("a", "a (3)"), ("a", "a (4)"))
        assert "repeated" in table.notes[0]


def test_a_frame_is_not_changed() -> None:
    frame = pd.DataFrame([[1, 2]], columns=["a", "a"], index=[7])
    read_table(frame)
    assert list(frame.columns) == ["a", "a"]
    assert frame.index.tolist() == [7]


def test_nested_and_numbered_names_become_text() -> None:
    frame = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("c", "")]))
    assert list(read_table(frame).columns) == ["a.b", "c"]
    assert list(read_table(pd.DataFrame([[1, 2]])).columns) == ["0", "1"]


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("sheet.xml", "x")


MISTAKES = {
    "empty.csv": (lambda path: path.write_bytes(b""), "empty"),
    "blank.csv": (lambda path: path.write_bytes(b" \n\n"), "empty"),
    "header.csv": (lambda path: path.write_text("a,b\n"), "header only"),
    "zeros.csv": (lambda path: path.write_bytes(bytes(range(256)) * 9), "binary"),
    "book.csv": (_zip, "zip archive"),
    "cut.csv.gz": (lambda path: path.write_bytes(gzip.compress(b"a,b\n1,2\n" * 9)[:-9]), "read"),
    "cut.json.gz": (
        lambda path: path.write_bytes(gzip.compress(b"[]" * 9)[:-9]),
        "cannot be read",
    ),
    "a.tar.gz": (lambda path: path.write_bytes(gzip.compress(b"a,b\n1,2\n")), ".tar"),
    "table.xls": (lambda path: path.write_bytes(b"anything"), ".xlsx"),
    "words.json": (lambda path: path.write_text("a,b"), "must be JSON"),
    "number.json": (lambda path: path.write_text("3"), "must be a table"),
    "none.json": (lambda path: path.write_text("[]"), "must have rows"),
    "uneven.json": (lambda path: path.write_text('{"a": [1], "b": [1, 2]}'), "one length"),
    "broken.jsonl": (lambda path: path.write_text('{"a": 1}\n{"a": 1\n'), "line 2"),
    "lists.jsonl": (lambda path: path.write_text('{"a": 1}\n[1]\n'), "line 2"),
    "really_parquet.csv": (lambda path: pd.DataFrame({"a": [1]}).to_parquet(path), ".parquet"),
    "broken.parquet": (lambda path: path.write_bytes(b"PAR1 no PAR1"), "Parquet"),
    "broken.feather": (lambda path: path.write_bytes(b"ARROW1 no"), "Feather"),
    "ragged.csv": (lambda path: path.write_text("a,b\n1,2\n1,2,3\n4,5\n"), "Row #3"),
    "table.xlsx": (lambda path: path.write_bytes(b"anything"), "must be an Excel workbook"),
    "blank.xlsx": (lambda path: pd.DataFrame().to_excel(path), "sheet is empty"),
    "folder.csv": (lambda path: path.mkdir(), "folder"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_file_without_a_table_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    make, expected = MISTAKES[name]
    make(tmp_path / name)
    with pytest.raises(InputError, match=expected) as caught:
        read_table(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_a_missing_file_suggests_the_closest(tmp_path: Path) -> None:
    (tmp_path / "churn.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match=r"did you mean 'churn.csv'"):
        read_table(tmp_path / "chrun.csv")
    # The same ending alone makes no name close.
    with pytest.raises(InputError, match=r"but got '.*nothere.csv'\.$"):
        read_table(tmp_path / "nothere.csv")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_refused_before_anything_is_read_from_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.csv")
    # Opening it would wait for a writer, and a second reader would miss the first rows.
    with pytest.raises(InputError, match=r"rows.csv is a pipe or a device; save its content to a"):
        read_table(tmp_path / "rows.csv")
    with pytest.raises(InputError, match=r"but - is standard input; save its content to a"):
        read_table("-")


def test_an_unknown_set_or_type_is_named() -> None:
    with pytest.raises(InputError, match="did you mean 'digits'"):
        read_table("sklearn:digit")
    with pytest.raises(InputError, match="got a list"):
        read_table([1, 2])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="columns"):
        read_table(pd.DataFrame())
    with pytest.raises(InputError, match="header only"):
        read_table(pd.DataFrame({"a": []}))


@pytest.mark.parametrize("rows", [5, 150, 300, 600])
@pytest.mark.parametrize("columns", [1, 3])
def test_decimal_commas_are_not_taken_for_delimiters(
    tmp_path: Path, rows: int, columns: int
) -> None:
    numbers = np.random.default_rng(rows).normal(size=(rows, columns)).round(3)
    frame = pd.DataFrame(numbers, columns=[f"x{place}" for place in range(columns)])
    frame["label"] = np.where(numbers[:, 0] > 0, "ja", "nein")
    path = tmp_path / "table.csv"
    frame.to_csv(path, sep=";", decimal=",", index=False)
    read = read_table(path)
    assert list(read.columns) == list(frame.columns)
    assert read["label"].tolist() == frame["label"].tolist()


def test_delimiters_within_the_header_and_the_words_do_not_count() -> None:
    assert find_delimiter("length, cm;y\n1,5;a\n2,5;b\n") == ";"
    assert find_delimiter("x, z;y, w\n1,5;2,5\n2,5;3\n") == ";"
    assert find_delimiter("a,b\n1;2,x\n3;4,y\n") == ","
    assert find_delimiter("text,y\na; b; c,1\na; b; c,0\n") == ","


def _rows(n: int = 60) -> pd.DataFrame:
    chance = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "whole": chance.integers(0, 99, n),
            "gaps": pd.array([None if i % 7 == 0 else i + 2**53 for i in range(n)], dtype="Int64"),
            "real": chance.normal(size=n).round(3),
            "flag": chance.random(n) < 0.5,
            "word": np.where(chance.random(n) < 0.2, None, chance.choice(["Köln", "Bern"], n)),
            "y": chance.choice(["yes", "no"], n),
        }
    )


FORMS = {
    "t.csv.gz": lambda frame, path: frame.to_csv(path, index=False),
    "t.tsv.gz": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "t.json": lambda frame, path: frame.to_json(path, orient="records"),
    "columns.json": lambda frame, path: frame.to_json(path),
    "lists.json": lambda frame, path: frame.to_json(path, orient="split", index=False),
    "lines.json": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "t.jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "t.jsonl.gz": lambda frame, path: frame.to_json(path, orient="records", lines=True),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_a_table_are_read_alike(tmp_path: Path, name: str) -> None:
    frame = _rows()
    FORMS[name](frame, tmp_path / name)
    pd.testing.assert_frame_equal(read_table(tmp_path / name), frame, check_dtype=False)
    streamed = pd.concat(open_rows(tmp_path / name).frames(list(frame.columns), rows=16))
    text = frame["gaps"].astype("string")
    assert streamed["gaps"].astype("string").fillna("").tolist() == text.fillna("").tolist()
    assert len(streamed) == len(frame)


def test_a_workbook_is_read_as_its_text(tmp_path: Path) -> None:
    # Excel itself keeps fifteen digits of a number.
    frame = (
        _rows()
        .drop(columns="gaps")
        .assign(
            when=pd.date_range("2024-01-01", periods=60),
            amount=[["-", 1.5, 3][i % 3] for i in range(60)],
            code=[f"{i:03d}" for i in range(60)],
        )
    )
    path = tmp_path / "book.xlsx"
    with pd.ExcelWriter(path) as writer:
        frame.to_excel(writer, sheet_name="rows", index=False, startrow=2)
        frame.head(2).to_excel(writer, sheet_name="notes", index=False)
    table = load_table(path)
    assert any("'rows'" in note for note in table.notes)
    read = table.frame
    pd.testing.assert_frame_equal(
        read.drop(columns="amount"), frame.drop(columns="amount"), check_dtype=False
    )
    assert read["amount"].tolist() == ["-", "1.5", "3"] * 20
    assert sum(map(len, open_rows(path).frames(list(frame.columns), rows=16))) == 60


def test_a_workbook_without_openpyxl_names_the_package_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "book.xlsx"
    _rows().to_excel(path)
    monkeypatch.setattr("autoloss.data.workbook.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"autoloss\[excel\]") as caught:
        read_table(path)
    assert "\n" not in str(caught.value)


def test_objects_within_objects_become_columns(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text('[{"a": {"b": 1, "c": {"d": "x"}}, "e": [1]}, {"a": {"b": 2}, "f": true}]')
    read = read_table(path)
    assert list(read.columns) == ["a.b", "a.c.d", "e", "f"]
    assert read["a.b"].tolist() == [1, 2]


PIECES = {
    "blank.csv": "\n  \nname\n\nx\n\ny\n",
    "quoted.csv": '"a","b,c"\n" 1 ","x\ny"\n2,\n',
    "letters.tsv": 'a\tb\n"one\t1\ntwo\t2\n',
    "long.csv": f"a,b\n1,{'word ' * 1_800_000}\n2,x\n",
}


@pytest.mark.parametrize("name", PIECES)
def test_the_pieces_of_delimited_text_are_the_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(PIECES[name].encode())
    whole, rows = read_table(path), open_rows(path)
    assert list(rows.names) == list(whole.columns)
    joined = pd.concat(rows.frames(rows.names, rows=1), ignore_index=True)
    cells = joined.fillna("").to_numpy().tolist()
    assert cells == whole.astype("str").fillna("").to_numpy().tolist()


def test_an_uneven_row_is_named_alike_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n1,2,3\n4,5\n")
    messages = []
    for read in (read_table, open_rows):
        with pytest.raises(InputError, match=r"t\.csv must have as many cells .*Row #3") as caught:
            read(path)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
