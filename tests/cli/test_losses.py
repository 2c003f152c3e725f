from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

import autoloss
from autoloss.cli.catalogue.description import in_python, in_space, lines, show
from autoloss.cli.catalogue.docstrings import formulas
from autoloss.cli.catalogue.library import find, known_components, known_losses
from autoloss.cli.catalogue.tables import show_entries
from autoloss.cli.catalogue.words import FAMILIES, short_range
from autoloss.cli.terminal import spelt
from autoloss.losses import PENALTIES, PRIORS, TARGETS, LossModule, get, names
from autoloss.search.space_reader import load_space

PARTS = (*PRIORS, *TARGETS, *PENALTIES)
EVERYTHING = (*names(), *PARTS)


def printed(width: int, encoding: str, print_to) -> list[str]:
    """Return the output to a plain file of an encoding, which must have every letter."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    console = Console(file=file, width=width, highlight=False, emoji=False, markup=False)
    print_to(console)
    file.flush()
    return file.buffer.getvalue().decode(encoding).splitlines()


def catalogue(width: int, encoding: str = "utf-8") -> list[str]:
    return printed(
        width, encoding, lambda to: show_entries(to, known_losses(), known_components())
    )


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_the_catalogue_has_every_name_source_and_range_whole(width: int) -> None:
    text = catalogue(width)
    assert max(map(len, text)) <= width
    words = {word for line in text for word in line.split()}
    rows = [line.split() for line in text]
    for one in (*known_losses(), *known_components()):
        assert {one.name, *one.aliases} <= words
        assert set(one.short_source.split()) <= words
        for name, parameter in one.parameters.items():
            wanted = [name, *short_range(parameter).split()]
            assert any(
                row[at : at + len(wanted)] == wanted for row in rows for at in range(len(row))
            )


@pytest.mark.parametrize("width", [56, 70])
def test_a_narrow_catalogue_has_every_name(width: int) -> None:
    words = {word for line in catalogue(width) for word in line.split()}
    assert set(EVERYTHING) <= words


def test_losses_stand_below_their_family_cross_entropy_first(run) -> None:
    text = run("losses", env={"COLUMNS": "100"}).stdout.splitlines()
    first = [line.split()[0] if line.strip() else "" for line in text]
    headings = [first.index(f"{family}:") for family in FAMILIES if f"{family}:" in first]
    assert headings == sorted(headings)
    assert first[headings[0] + 1] == "cross_entropy"
    for loss in map(get, names()):
        above = [word for word in first[: first.index(loss.name)] if word.endswith(":")]
        assert above[-1] == f"{loss.family}:"


def test_piped_output_has_no_control_characters(run) -> None:
    for words in (["losses"], ["losses", "brier"]):
        assert "\x1b" not in run(*words).stdout


@pytest.mark.parametrize("name", EVERYTHING)
@pytest.mark.parametrize("width", [80, 120])
def test_each_is_shown_in_full_within_the_width(name: str, width: int) -> None:
    one = find(name)
    text = printed(width, "utf-8", lambda to: show(to, one))
    assert max(map(len, text)) <= width
    flat = " ".join(" ".join(text).split())
    titles = [title for title, _ in lines(one)]
    for title in ("When", "Read-out", "Labels", "Needs", "Source", "In a space", "In Python"):
        assert title in titles
    assert one.source in flat
    for parameter in one.parameters:
        assert parameter in titles


@pytest.mark.parametrize("name", [*names(), *PENALTIES])
def test_each_declares_a_formula_a_use_and_the_meaning_of_its_parameters(name: str) -> None:
    one = find(name)
    letter = "L" if one.kind == "loss" else "R"
    assert formulas((get(name) if one.kind == "loss" else PENALTIES[name]).doc) == one.formulas
    assert one.formulas
    assert all(formula.startswith(f"{letter} = ") for formula in one.formulas)
    assert one.use.endswith(".")
    assert all(one.meanings[parameter] for parameter in one.parameters)


def test_the_formula_brings_the_words_that_explain_its_letters() -> None:
    facts = dict(lines(find("symmetric_cross_entropy")))
    assert facts["Formula"] == (
        "``L = -α log p + β A (1 - p)``, where ``A = -log 1e-4`` stands for ``-log 0``: "
        "α times `poly1` at ``ε = A β / α``."
    )
    assert facts["Same as"].startswith("poly1 ")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("focal", "a softmax of 0.90 means 0.997"),  # at gamma = 2
        ("brier", "softmax is the posterior"),
        ("weston_watkins", "not exact"),
        ("asymmetric", "for yes and"),
    ],
)
def test_the_read_out_is_said_with_an_example(name: str, said: str) -> None:
    assert said in dict(lines(find(name)))["Read-out"]


def test_special_cases_and_needs_are_told_in_words() -> None:
    assert dict(lines(find("focal")))["Equals"] == "cross_entropy at gamma = 0"
    assert dict(lines(find("focal")))["Needs"] == "nothing but logits and labels"
    needs = dict(lines(find("ldam")))["Needs"]
    assert "no bias" in needs
    assert "training rows of each class" in needs


@pytest.mark.parametrize("name", EVERYTHING)
def test_the_lines_for_a_space_make_a_space(name: str, tmp_path) -> None:
    one = find(name)
    text = in_space(one)
    if one.kind != "loss":
        text = ['bases = ["cross_entropy"]', *text]
    file = tmp_path / "mine.toml"
    file.write_text("\n".join(text), encoding="utf-8")
    space = load_space(file)
    assert name in (*space.bases, *space.priors, *space.targets, *space.penalties)


@pytest.mark.parametrize("name", EVERYTHING)
def test_the_line_of_python_makes_it_at_its_defaults(name: str) -> None:
    one = find(name)
    given = {
        "autoloss": autoloss,
        "class_counts": [30, 20, 10],
        "class_weights": [1.0, 2.0, 3.0],
        "similarity": [[0.0, 1.0, 1.0]] * 3,
    }
    made = eval(in_python(one), given)
    assert isinstance(made, LossModule)
    spec = made.spec
    assert name in (spec.base, spec.prior, spec.target, spec.penalty)
    for parameter, declared in one.parameters.items():
        assert spec[f"{name}.{parameter}"] == declared.default


@pytest.mark.parametrize(
    ("alias", "name"), [("cosface", "am_softmax"), ("balanced", "class_weight")]
)
def test_other_names_are_found_and_listed(run, alias: str, name: str) -> None:
    text = run("losses", alias, env={"COLUMNS": "100"}).stdout
    assert text.splitlines()[0].split()[1] == name
    assert alias in text


def test_an_unknown_loss_names_the_closest(run) -> None:
    result = run("losses", "fokal")
    assert result.exit_code == 2
    assert "did you mean 'focal'?" in result.stderr


def test_filters_leave_out_the_others(run) -> None:
    text = run("losses", "--family", "robust").stdout
    assert "nce_rce" in text
    assert "focal" not in text.split()
    assert "smoothing" not in text.split()
    text = run("losses", "--task", "multilabel").stdout
    assert "asymmetric" in text
    assert "squared_emd" not in text.split()
    assert "jsd" not in text.split()


@pytest.mark.parametrize(("option", "value"), [("--family", "robsut"), ("--task", "multilable")])
def test_an_unknown_filter_names_the_closest(run, option: str, value: str) -> None:
    result = run("losses", option, value)
    assert result.exit_code == 2
    assert "did you mean" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_json_has_all_that_is_declared(run) -> None:
    found = json.loads(run("losses", "--json").stdout)
    assert found["schema_version"] == 1
    by_name = {one["name"]: one for one in found["declarations"]}
    assert tuple(by_name) == EVERYTHING
    gamma = by_name["focal"]["parameters"]["gamma"]
    assert (gamma["low"], gamma["high"], gamma["default"]) == (0.0, 5.0, 2.0)
    assert by_name["focal"]["formulas"] == ["L = -(1 - p)^γ log p"]
    one = json.loads(run("losses", "focal", "--json").stdout)
    (signal,) = one["signal"]
    assert signal["p"][2] == 0.5
    assert signal["phi"][2] == pytest.approx(0.25 + 0.5 * 0.6931471805599453)
    assert json.loads(run("losses", "mixup", "--json").stdout)["name"] == "mixup"


@pytest.mark.parametrize("name", [None, *EVERYTHING])
def test_an_ascii_terminal_gets_ascii(name: str | None) -> None:
    if name is None:
        text = catalogue(80, "ascii")
    else:
        text = printed(80, "ascii", lambda to: show(to, find(name)))
    assert max(map(len, text)) <= 80


def test_greek_letters_are_spelt_where_they_cannot_be_shown() -> None:
    assert spelt("(1 - p)^γ₊ → 0", "ascii") == "(1 - p)^gamma+ -> 0"
