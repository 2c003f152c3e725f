"""The description of a training loss, its forms and its mistakes."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from autoloss import losses
from autoloss.core.errors import InputError
from autoloss.losses import (
    PENALTIES,
    PRIORS,
    TARGETS,
    TEMPERATURE,
    ChoiceParam,
    IntParam,
    LossContext,
    LossSpec,
    Objective,
    find_mistakes,
    parameters_of,
)
from autoloss.losses.spec_data import SpecData

from .cases import draw, draw_labels


@st.composite
def settings(draw_from: st.DrawFn) -> dict[str, object]:
    """Draw the settings of some loss."""
    chosen = {
        "base": draw_from(st.sampled_from(losses.names())),
        "prior": draw_from(st.sampled_from(["none", *PRIORS])),
        "target": draw_from(st.sampled_from(["none", *TARGETS])),
        "penalty": draw_from(st.sampled_from(["none", *PENALTIES])),
        "temperature": draw_from(st.floats(TEMPERATURE.low, TEMPERATURE.high)),
    }
    values = {}
    for part in chosen.values():
        for key, parameter in parameters_of(str(part)).items():
            if isinstance(parameter, ChoiceParam):
                values[key] = draw_from(st.sampled_from(parameter.choices))
            elif isinstance(parameter, IntParam):
                values[key] = draw_from(st.integers(parameter.low, parameter.high))
            else:
                values[key] = draw_from(st.floats(parameter.low, parameter.high))
    return {**chosen, **values}


def is_quiet(key: str, value: object) -> bool:
    """Return whether a setting is left out at its default, because no search varies it."""
    if "." not in key:
        return False
    declared = parameters_of(key.partition(".")[0])[key]
    return not declared.searched and value == declared.default


@given(settings())
def test_spec_survives_every_form(given_settings):
    spec = LossSpec.from_dict(given_settings)
    assert LossSpec.from_dict(spec.to_dict()) == spec
    assert LossSpec.from_toml(spec.to_toml()) == spec
    assert LossSpec.from_json(spec.to_json()) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert hash(LossSpec.from_dict(spec.to_dict())) == hash(spec)
    assert spec.to_dict() == {
        key: value
        for key, value in given_settings.items()
        if value != "none" and (key, value) != ("temperature", 1.0) and not is_quiet(key, value)
    }


EARLIER = (
    b"\x80\x04\x95\xd5\x00\x00\x00\x00\x00\x00\x00\x8c\x14autoloss.losses.spec\x94\x8c\x08LossSpec"
    b"\x94\x93\x94)\x81\x94}\x94(\x8c\x04base\x94\x8c\x05focal\x94\x8c\nparameters\x94\x8c\x0bfocal."
    b"gamma\x94G@\x08\x00\x00\x00\x00\x00\x00\x86\x94\x8c\x10logit_adjust.tau\x94G?\xf0\x00\x00\x00"
    b"\x00\x00\x00\x86\x94\x86\x94\x8c\x05prior\x94\x8c\x0clogit_adjust\x94\x8c\x06target\x94\x8c"
    b"\x04none\x94\x8c\x07penalty\x94h\x10\x8c\x0btemperature\x94G@\x00\x00\x00\x00\x00\x00\x00\x8c"
    b"\x05tuned\x94Nub."
)
"""The pickle of `KEPT` that a version wrote in which `LossSpec` was one class."""
KEPT = LossSpec("focal", {"focal.gamma": 3.0}, prior="logit_adjust", temperature=2.0)


def test_pickles_of_earlier_versions_are_read():
    again = pickle.loads(EARLIER)
    assert type(again) is LossSpec
    assert again == KEPT
    assert vars(again) == vars(KEPT)
    assert again.to_dict() == KEPT.to_dict()
    assert again.source([9, 1]) == KEPT.source([9, 1])
    logits, targets = draw(4, 2), draw_labels(4, n_classes=2)
    assert_close(again.module([9, 1])(logits, targets), KEPT.module([9, 1])(logits, targets))


def test_a_pickle_is_read_in_a_process_that_imported_nothing():
    script = (
        "import pickle\n"
        f"spec = pickle.loads({pickle.dumps(KEPT)!r})\n"
        "assert 'import torch' in spec.source([9, 1])\n"
        "assert spec.module([9, 1]).spec is spec\n"
        "import autoloss\n"
        f"assert spec == autoloss.LossSpec.from_json({KEPT.to_json()!r})\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_objective_keeps_the_losses_that_it_is_given():
    (kept,) = Objective([KEPT], torch.tensor([9, 1])).specs
    assert LossSpec.of(kept) is kept is KEPT
    data = SpecData("focal", {"focal.gamma": 3.0}, prior="logit_adjust", temperature=2.0)
    assert LossSpec.of(data) == KEPT != data
    assert repr(KEPT).startswith("LossSpec(base='focal', ")


def test_no_attribute_of_a_loss_can_be_set():
    for name in ("base", "other"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(KEPT, name, "brier")


@pytest.mark.parametrize("base", losses.names())
def test_defaults_are_filled_in(base: str):
    spec = LossSpec.default(base)
    assert spec == LossSpec.from_dict({"base": base}) == LossSpec(base)
    assert spec.n_non_default == 0
    for name, parameter in losses.get(base).parameters.items():
        assert spec[f"{base}.{name}"] == parameter.default


def test_neutral_parts_are_left_out_of_the_dictionary():
    spec = LossSpec.from_dict({"base": "brier", "prior": "none", "temperature": 1})
    assert spec.to_dict() == {"base": "brier"}


def test_whole_numbers_of_a_toml_file_become_reals():
    spec = LossSpec.from_toml(
        'base = "focal"\nfocal.gamma = 2\n[logit_adjust]\n',
    )
    assert isinstance(spec["focal.gamma"], float)
    assert spec == LossSpec("focal", (("focal.gamma", 2.0),))


def test_complexity_orders_by_readout_then_by_what_was_moved():
    order = [
        {"base": "cross_entropy"},
        {"base": "cross_entropy", "prior": "logit_adjust"},
        {"base": "cross_entropy", "prior": "logit_adjust", "logit_adjust.tau": 0.5},
        {"base": "brier"},
        {"base": "power", "power.beta": 1.2},
        {"base": "focal"},
        {"base": "focal", "temperature": 2.0, "target": "smoothing"},
        {"base": "weston_watkins"},
    ]
    found = [LossSpec.from_dict(one).complexity for one in order]
    assert found == sorted(set(found))


@pytest.mark.parametrize(
    ("wrong", "lines"),
    [
        (
            {"base": "focl"},
            ["base must be a known base, but got base='focl', did you mean 'focal'?"],
        ),
        (
            {"base": "focal", "focal.gama": 1.0},
            ["unknown key 'focal.gama', did you mean 'focal.gamma'?"],
        ),
        ({"bse": "focal"}, ["unknown key 'bse', did you mean 'base'?"]),
        (
            {"base": "focal", "focal.gamma": -1.0},
            ["focal.gamma must be in [0, inf), but got focal.gamma=-1.0."],
        ),
        (
            {"base": "brier", "focal.gamma": 1.0},
            ["focal.gamma must stand beside base='focal', but got another base."],
        ),
        (
            {"smoothing.epsilon": 0.1},
            ["smoothing.epsilon must stand beside target='smoothing', but got another target."],
        ),
        (
            {"temperature": "hot"},
            ["temperature must be a number, but got temperature='hot'."],
        ),
        (
            {"base": "weston_watkins", "weston_watkins.p": 3},
            ["weston_watkins.p must be one of 1, 2, but got weston_watkins.p=3."],
        ),
        (
            {"base": 3, "prior": "weights", "temperature": float("nan")},
            [
                "base must be a known base, but got base=3; known:",
                "prior must be a known prior, but got prior='weights'",
                "temperature must be a number, but got temperature=nan.",
            ],
        ),
    ],
)
def test_every_mistake_is_told_at_once(wrong, lines):
    found = find_mistakes(wrong)
    assert len(found) == len(lines)
    for line, expected in zip(found, lines, strict=True):
        assert line.startswith(expected)
    with pytest.raises(InputError) as error:
        LossSpec.from_dict(wrong)
    assert str(error.value) == "\n".join(found)


def test_the_constructor_checks_too():
    with pytest.raises(InputError, match=r"focal\.gamma must be in"):
        LossSpec("focal", {"focal.gamma": -2.0})
    with pytest.raises(InputError, match="temperature must be in"):
        LossSpec(temperature=0.0)


def test_text_that_is_no_toml_is_an_input_error():
    with pytest.raises(InputError, match="valid TOML"):
        LossSpec.from_toml("base = focal")


@pytest.mark.parametrize("text", ["{", "[1]", '"focal"'])
def test_text_that_is_no_json_object_is_an_input_error(text: str):
    with pytest.raises(InputError, match=r"must be (valid JSON|a JSON object), but got"):
        LossSpec.from_json(text)


def test_an_alias_is_the_same_loss():
    assert LossSpec("cosface", {"cosface.m": 0.1}) == LossSpec("am_softmax", {"am_softmax.m": 0.1})


@pytest.mark.parametrize("base", losses.names())
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
def test_module_is_the_mean_over_the_batch(base: str, soft: bool):
    spec = LossSpec.from_dict({"base": base, "prior": "class_weight", "target": "smoothing"})
    n_classes = 3 if "multiclass" in losses.get(base).tasks else 2
    counts = torch.tensor([20, 10, 5])[:n_classes]
    logits = draw(8, n_classes).requires_grad_()
    soft_targets = draw(8, n_classes, seed=4).softmax(-1)
    targets = soft_targets if soft else draw_labels(8, n_classes=n_classes)
    context = LossContext(row_ids=torch.arange(8), norms=draw(8, n_classes, seed=5).exp())
    value = spec.module(counts)(logits, targets, context=context)
    objective = Objective([spec], counts, dtype=torch.float64)
    expected = objective(logits[None], targets, context=context).mean()
    assert value.ndim == 0
    assert_close(value, expected)
    value.backward()
    assert logits.grad.isfinite().all()


def test_module_serves_every_dtype_and_can_be_copied():
    module = LossSpec("focal").module()
    targets = torch.tensor([0, 1])
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        value = module(torch.zeros(2, 3, dtype=dtype), targets)
        assert value.dtype == (dtype if dtype == torch.float64 else torch.float32)
    again = pickle.loads(pickle.dumps(copy.deepcopy(module)))
    assert again(torch.zeros(2, 3), targets) == module(torch.zeros(2, 3), targets)
    assert "focal" in repr(module)


def test_module_of_a_prior_needs_class_counts():
    spec = LossSpec.from_dict({"base": "brier", "prior": "logit_adjust"})
    with pytest.raises(InputError, match="class_counts must be given for prior='logit_adjust'"):
        spec.module()


def test_gradient_scale_counts_the_temperature():
    hot, plain = LossSpec("brier", temperature=4.0), LossSpec("brier")
    assert hot.gradient_scale(5) == pytest.approx(plain.gradient_scale(5) / 4)
