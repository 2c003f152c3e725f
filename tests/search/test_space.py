from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autoloss.core.errors import InputError, SpaceError
from autoloss.losses import ClassFacts, get, names
from autoloss.search import load_space, load_usual, space_names
from autoloss.search.space import NUISANCE
from autoloss.search.space_reader import read_space

SPACES = (
    "default",
    "calibration",
    "distillation",
    "extended",
    "image",
    "imbalanced",
    "margins",
    "multilabel",
    "noisy_labels",
    "ordinal",
    "quick",
    "sequence",
    "text",
)


def rows(*counts: int) -> ClassFacts:
    """Return the facts of classes with these training rows."""
    return ClassFacts(torch.tensor(counts))


def written(folder: Path, text: str) -> Path:
    file = folder / "mine.toml"
    file.write_text(text, encoding="utf-8")
    return file


def mistakes_of(file: Path) -> tuple[str, ...]:
    with pytest.raises(SpaceError) as caught:
        load_space(file)
    return caught.value.mistakes


def test_a_space_is_a_name_or_a_file():
    assert mistakes_of({"bases": ["focal"]}) == (  # type: ignore[arg-type]
        "space: must be the name of a space or the path of a .toml file, but got a dict.",
    )


def test_the_shipped_spaces_are_all_there():
    assert space_names() == SPACES


@pytest.mark.parametrize("name", SPACES)
def test_every_shipped_space_loads_and_survives_being_written(name):
    space = load_space(name)
    assert read_space(space.to_dict(), name=name, label=name) == space
    assert space.bases[0] == "cross_entropy"
    assert space.description
    assert "temperature" not in {*space.ranges, *space.fixed}


@pytest.mark.parametrize("name", SPACES)
def test_every_parameter_of_a_space_has_a_range_or_a_value(name):
    space = load_space(name)
    for base in space.bases:
        declared = {f"{base}.{key}" for key in get(base).parameters}
        assert declared <= {*space.ranges, *space.fixed}
    for key, parameter in space.ranges.items():
        assert parameter.mistake(key, parameter.default) is None


def test_a_parameter_that_is_searched_by_name_alone_is_else_fixed(tmp_path):
    text = 'bases = ["focal"]\npriors = ["none", "class_weight"]\n'
    quiet = load_space(written(tmp_path, text))
    assert quiet.fixed["class_weight.start"] == 0.0
    named = load_space(written(tmp_path, text + "class_weight.start = { high = 0.5 }\n"))
    assert named.ranges["class_weight.start"].high == 0.5
    assert "class_weight.start" not in named.fixed


def test_an_alias_is_the_loss_it_names(tmp_path):
    text = 'bases = ["cosface"]\ncosface.m = 0.1\n'
    space = load_space(written(tmp_path, text))
    assert space.bases == ("am_softmax",)
    assert space.fixed["am_softmax.m"] == 0.1


def test_one_loss_under_two_names_is_a_mistake(tmp_path):
    text = 'bases = ["poly1", "symmetric_cross_entropy"]\n'
    (mistake,) = mistakes_of(written(tmp_path, text))
    assert "'symmetric_cross_entropy' is 'poly1' with other parameters" in mistake


def test_parts_without_a_form_for_the_task_are_left_out(tmp_path):
    text = 'bases = ["asymmetric", "focal"]\npenalties = ["none", "jsd", "mmce"]\n'
    space = load_space(written(tmp_path, text))
    assert space.for_classes(rows(50, 50)).bases == ("asymmetric", "focal")
    many = space.for_classes(rows(50, 50, 50))
    assert many.bases == ("focal",)
    assert many.penalties == ("none", "mmce")
    # Two tags of a sequence are no binary label.
    tokens = space.for_classes(ClassFacts(torch.tensor([50, 50]), task="sequence"))
    assert (tokens.bases, "jsd" in tokens.penalties) == (("focal",), True)


@pytest.mark.parametrize(
    ("text", "provided", "message"),
    [
        ('bases = ["arcface"]', (), "arcface must be given cosine head"),
        ('bases = ["elr"]', {"memory"}, "elr must be given the numbers of the training rows"),
        ('bases = ["focal"]\ntargets = ["mixup"]', (), "mixup must be given mixed examples"),
        (
            'bases = ["focal"]\ntargets = ["distillation"]',
            (),
            "distillation must be given the logits of a teacher.*give teacher",
        ),
    ],
)
def test_a_part_whose_needs_are_not_met_is_refused(tmp_path, text, provided, message):
    space = load_space(written(tmp_path, text + "\n"))
    with pytest.raises(InputError, match=message):
        space.check_provided(provided)
    everything = {
        *("cosine head", "unbiased head", "row_ids", "memory", "mixup", "teacher_logits"),
    }
    space.check_provided(everything)


def test_the_users_losses_join_a_space_once():
    space = load_space("default").joined_by("target", "distillation")
    assert space.targets[-1] == "distillation"
    assert "distillation.T" in space.ranges
    assert space.joined_by("target", "distillation") == space
    weighted = space.joined_by("prior", "given_weights").for_classes(rows(50, 50))
    assert weighted.priors == ("none", "given_weights")
    assert weighted.fixed["given_weights.start"] == 0.0


def test_a_number_fixes_a_parameter_and_a_table_is_its_range(tmp_path):
    text = """
    bases = ["focal", "weston_watkins", "poly1"]
    focal.gamma = { low = 1.0, high = 3.0 }
    weston_watkins.p = 2
    poly1.epsilon = { low = 2.0 }
    lr = { low = 1e-5, high = 1e-3 }
    dropout = 0
    network.width = 64
    [training]
    max_epochs = 3
    """
    space = load_space(written(tmp_path, text))
    assert space.name == "mine"
    assert (space.ranges["focal.gamma"].low, space.ranges["focal.gamma"].default) == (1.0, 2.0)
    assert space.fixed == {"weston_watkins.p": 2, "dropout": 0.0}
    assert space.ranges["poly1.epsilon"].default == 4.0
    assert space.ranges["lr"].default == pytest.approx(1e-4)
    assert (space.network.width, space.training.max_epochs) == (64, 3)
    assert "weight_decay" in space.ranges


def test_overrides_take_the_place_of_the_file():
    space = load_space("quick", overrides={"lr": {"low": 1e-6, "high": 1e-4}, "together": 4})
    assert space.ranges["lr"].high == 1e-4
    assert space.together == 4


def test_every_mistake_is_reported_at_once_with_file_and_key(tmp_path):
    text = """
    bases = ["focl", "brier", "brier"]
    targets = "smoothing"
    objectives = ["error"]
    focal.gama = 2
    poly1.epsilon = 1
    lr = { low = 1, hihg = 2 }
    weight_decay = { low = 0.1, high = 0.01 }
    dropout = 1.5
    together = -1
    network.widht = 3
    training.warmup = "long"
    """
    mistakes = mistakes_of(written(tmp_path, text))
    keys = [mistake.split(": ")[1] for mistake in mistakes]
    assert all(mistake.startswith("mine.toml: ") for mistake in mistakes)
    assert sorted(keys) == sorted(
        [
            "bases",
            "bases",
            "targets",
            "objectives",
            "focal.gama",
            "poly1.epsilon",
            "lr",
            "weight_decay",
            "dropout",
            "together",
            "network.widht",
            "training.warmup",
        ]
    )
    text = "\n".join(mistakes)
    for name in ("focal", "focal.gamma", "high", "network.width"):
        assert f"did you mean {name!r}?" in text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("focal.gamma = -1.0", "focal.gamma: must be in [0, inf), but got focal.gamma=-1.0."),
        ("focal.gamma = { low = 0.0, log = true }", "low must be above 0 on a logarithmic scale"),
        ("focal.gamma = { default = 7.0 }", "default must be within low and high"),
        ("focal.gamma = { low = true }", "focal.gamma: must be a number"),
        ("focal.gamma = { log = 1 }", "log must be true or false"),
        ("weston_watkins.p = { choices = [3] }", "must be one of 1, 2"),
        ("weston_watkins.p = { low = 1 }", "must not have 'low'"),
        ("min_imbalance = 0.5", "min_imbalance: must be a number of at least 1"),
        ("network = 3", "network: is not a known key"),
    ],
)
def test_a_mistake_says_the_rule_and_the_value(tmp_path, line, message):
    file = written(tmp_path, f'bases = ["focal", "weston_watkins"]\n{line}\n')
    (mistake,) = mistakes_of(file)
    assert message in mistake


def test_a_file_without_bases_or_toml_is_refused_in_one_line(tmp_path):
    assert mistakes_of(written(tmp_path, "together = 4")) == (
        "mine.toml: bases: must list the losses to search, but is missing.",
    )
    assert "mine.toml: TOML: " in mistakes_of(written(tmp_path, "bases = ["))[0]


def test_an_unknown_space_names_the_closest():
    with pytest.raises(SpaceError, match="did you mean 'imbalanced'"):
        load_space("imbalance")
    with pytest.raises(SpaceError, match="must be a readable file"):
        load_space("nowhere/mine.toml")


def test_priors_are_searched_only_where_classes_are_imbalanced():
    space = load_space("default")
    assert space.for_classes(rows(300, 101)).priors == ("none",)
    assert space.for_classes(rows(301, 100)).priors == (
        "none",
        "class_weight",
        "logit_adjust",
    )
    assert load_space("imbalanced").for_classes(rows(101, 100)).priors != ("none",)
    assert load_space("calibration").for_classes(rows(900, 1)).priors == ("none",)


@given(
    st.sampled_from(names()),
    st.dictionaries(
        st.sampled_from(
            ("lr", "dropout", "together", "focal.gamma", "temperature", "x.y", "bases")
        ),
        st.one_of(
            st.none(),
            st.booleans(),
            st.floats(),
            st.integers(-3, 3),
            st.text(max_size=3),
            st.lists(st.one_of(st.integers(), st.text(max_size=3)), max_size=2),
            st.dictionaries(
                st.sampled_from(("low", "high", "log", "default", "choices", "z")),
                st.one_of(st.floats(), st.booleans(), st.text(max_size=2), st.none()),
            ),
        ),
    ),
)
def test_any_settings_are_a_space_or_a_list_of_mistakes(base, settings):
    mistakes, space = [], None
    try:
        space = read_space({"bases": [base], **settings}, name="any", label="any")
    except SpaceError as error:
        mistakes.extend(error.mistakes)
    assert (space is None) == bool(mistakes)
    assert all(mistake.startswith("any: ") for mistake in mistakes)
    if space is not None:
        assert read_space(space.to_dict(), name="any", label="any") == space


def test_spaces_are_found_inside_an_installed_package(tmp_path, monkeypatch):
    inside = tmp_path / "search_spaces"
    inside.mkdir()
    (inside / "mine.toml").write_text('bases = ["brier"]\n', encoding="utf-8")
    monkeypatch.setattr("importlib.resources.files", lambda _: tmp_path)
    assert space_names() == ("mine",)
    assert load_space("mine").bases == ("brier",)


def test_several_labels_are_imbalanced_if_one_of_them_is():
    space = load_space("default")
    balanced, rare = ([[60, 40], [50, 50]], [[60, 40], [90, 10]])
    chosen = [
        space.for_classes(ClassFacts(torch.tensor(counts), task="multilabel"))
        for counts in (balanced, rare)
    ]
    assert chosen[0].priors == ("none",)
    assert "logit_adjust" in chosen[1].priors
    assert all("multilabel" in get(base).tasks for base in chosen[1].bases)
    # A label that is always there has no ratio.
    always = ClassFacts(torch.tensor([[0, 100], [50, 50]]), task="multilabel")
    assert space.for_classes(always).priors == ("none",)


def test_several_labels_of_texts_have_the_losses_of_labels_on_the_network_of_texts() -> None:
    found, labels, text = (
        load_usual("multilabel", "text"),
        load_space("multilabel"),
        load_space("text"),
    )
    of_labels = replace(
        text,
        **{name: getattr(labels, name) for name in ("bases", "priors", "targets", "penalties")},
        **{name: getattr(found, name) for name in ("name", "description", "ranges", "fixed")},
        min_imbalance=labels.min_imbalance,
    )
    assert found == of_labels
    for name in NUISANCE:
        assert found.ranges[name] == text.ranges[name] != labels.ranges[name]
    assert {"asymmetric.gamma_neg", "effective_number.decay"} <= {*found.ranges, *found.fixed}
    assert read_space(found.to_dict(), name=found.name, label="x") == found
    assert load_usual("multiclass", "text") == text
    assert load_usual("multilabel") == labels
    assert load_usual("binary") == load_space("default")
