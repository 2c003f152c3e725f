"""CoNLL files become lists of tokens, and their faults are named by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoloss.core.errors import InputError
from autoloss.data.sequences.conll import LONGEST, read_conll


def written(folder: Path, text: str, name: str = "some.conll") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def lists(path: Path) -> dict[str, list[list[str | None]]]:
    frame = read_conll(path, label="F").frame
    return {name: frame[name].tolist() for name in frame.columns}


def test_blank_lines_divide_sequences_and_other_lines_are_left_out(tmp_path: Path) -> None:
    text = "-DOCSTART- -X- O\n\n# a comment of five words\nEU NNP B-ORG\n. . O\n\n\t\nNo DT O\n"
    assert lists(written(tmp_path, text)) == {
        "0": [["EU", "."], ["No"]],
        "1": [["NNP", "."], ["DT"]],
        "2": [["B-ORG", "O"], ["O"]],
    }


def test_a_token_may_begin_with_a_hash(tmp_path: Path) -> None:
    text = "#first\tO\n#\tO\n\n# a comment\n#next\tB-x\n"
    assert lists(written(tmp_path, text))["0"] == [["#first", "#"], ["#next"]]


def test_windows_line_ends_and_a_missing_value(tmp_path: Path) -> None:
    path = tmp_path / "some.conll"
    path.write_bytes(b"a\tX\r\nb\t\r\n\r\nc\tY\r\n")
    assert lists(path) == {"0": [["a", "b"], ["c"]], "1": [["X", None], ["Y"]]}


def test_conllu_has_names_and_no_ranges_or_empty_nodes(tmp_path: Path) -> None:
    rest = "\t_\t_\t_\t_\t_\t_"
    text = (
        "# sent_id = 1\n# text = dámelo\n"
        f"1-2\tdámelo\t_\t_{rest}\n1\tda\tdar\tVERB{rest}\n2\tme\tyo\t_{rest}\n1.1\tx\tx\tX{rest}\n\n"
    )
    found = lists(written(tmp_path, text, "some.conllu"))
    assert found["FORM"] == [["da", "me"]]
    assert found["UPOS"] == [["VERB", None]]


def test_names_of_columns_may_stand_in_the_file(tmp_path: Path) -> None:
    found = lists(written(tmp_path, "# global.columns = FORM NER\na\tO\n\nb\tO\n", "x.conllup"))
    assert found == {"FORM": [["a"], ["b"]], "NER": [["O"], ["O"]]}


def test_a_line_with_fewer_columns_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"F: line 4 must have 2 columns .* but has 1\."):
        read_conll(written(tmp_path, "a\tX\nb\tX\n\nc\n"), label="F")


def test_a_file_without_blank_lines_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a\tX\n" * (LONGEST + 1))
    with pytest.raises(InputError, match=r"blank line after each sequence, but its 10,001 tokens"):
        read_conll(path, label="F")
