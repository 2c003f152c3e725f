"""Declarations, their discovery, and the messages for wrong calls."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from autoloss import losses
from autoloss.core.errors import InputError
from autoloss.losses import (
    ChoiceParam,
    FloatParam,
    Interval,
    IntParam,
    LossContext,
    declare,
    registry,
)

LOGITS, TARGETS = torch.zeros(2, 3), torch.tensor([0, 1])


def test_the_losses_are_those_of_the_folder():
    folder = Path(registry.bases.__file__).parent
    files = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    assert set(losses.names()) == files


def test_a_new_file_is_a_new_loss(tmp_path):
    (tmp_path / "square_root.py").write_text(
        "from autoloss.losses import declare\n"
        "@declare(source='here', local=True)\n"
        "def square_root(log_p):\n"
        "    '''Root of the log score.'''\n"
        "    return (-log_p).sqrt()\n"
    )
    # In its own process, because discovered losses are cached.
    script = (
        "from autoloss.losses import bases, LossSpec, names\n"
        f"bases.__path__.append({str(tmp_path)!r})\n"
        "assert 'square_root' in names(task='binary')\n"
        "LossSpec('square_root').module()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_names_of_a_task_are_those_that_can_train_it():
    binary, multilabel = losses.names(task="binary"), losses.names(task="multilabel")
    assert set(losses.names()) - set(binary) == {"squared_emd"}
    assert "crammer_singer" in binary
    assert "crammer_singer" not in multilabel
    assert binary[0] == multilabel[0] == losses.names()[0] == "cross_entropy"


def test_an_unknown_name_has_the_closest_known_one():
    with pytest.raises(InputError, match="base='croos_entropy', did you mean 'cross_entropy'"):
        losses.get("croos_entropy")


@pytest.mark.parametrize("name", losses.names())
def test_a_loss_is_pickled_by_name(name: str):
    loss = losses.get(name)
    assert pickle.loads(pickle.dumps(loss)) is loss


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"gamma": -1.0}, "gamma must be in [0, inf), but got gamma=-1.0."),
        ({"gamma": float("nan")}, "gamma must be a number, but got gamma=nan."),
        ({"gamma": "2"}, "gamma must be a number, but got gamma='2'."),
        ({"gama": 2.0}, "focal must get known parameters, but got gama, did you mean 'gamma'?"),
        (
            {"gamma": torch.tensor([1.0, -3.0])},
            "gamma must be in [0, inf), but got gamma=-3.0.",
        ),
        (
            {"gamma": torch.ones(2, 1, 1)},
            "gamma must be a number or have an axis less than the logits, "
            "as (K, 1) for (K, B, C), but got gamma.shape=(2, 1, 1).",
        ),
    ],
)
def test_a_wrong_parameter_is_told(parameters, message: str):
    with pytest.raises(InputError) as error:
        losses.get("focal")(LOGITS, TARGETS, **parameters)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "targets", [torch.tensor([0, 1, 2]), torch.tensor(1), torch.rand(2, 4), torch.rand(2)]
)
def test_targets_of_another_shape_are_told(targets):
    with pytest.raises(InputError, match="targets must be classes"):
        losses.get("focal")(LOGITS, targets)


def test_any_whole_number_type_may_be_a_label():
    loss = losses.get("brier")
    for dtype in (torch.uint8, torch.int32, torch.bool):
        assert torch.equal(loss(LOGITS, TARGETS.to(dtype)), loss(LOGITS, TARGETS))


def test_a_loss_that_needs_a_context_says_what_is_missing():
    @declare(source="here", needs=("row_ids",))
    def remembering(logits, targets, *, context):
        """Depend on the row."""
        return logits.sum(-1) + context.row_ids

    found = remembering(LOGITS, TARGETS, context=LossContext(row_ids=torch.tensor([3, 4])))
    assert found.tolist() == [3.0, 4.0]
    for context in (None, LossContext(progress=0.1)):
        with pytest.raises(InputError, match="remembering must be given row_ids"):
            remembering(LOGITS, TARGETS, context=context)


def no_parameters(log_p):
    """Say nothing."""
    return log_p


def no_description(log_p):
    return log_p


def of_logits(logits, targets, *, gamma):
    """Take a parameter."""
    return logits.sum(-1) * gamma


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (no_parameters, {}, "must take"),
        (no_parameters, {"local": True, "t": IntParam(1, 3, default=2)}, "keywords it declares"),
        (no_description, {"local": True}, "must have a docstring"),
        (of_logits, {}, "keywords it declares"),
        (of_logits, {"gamma": FloatParam(0, 1, default=0), "local": True}, "must take"),
        (of_logits, {"gamma": FloatParam(0, 1, default=0), "needs": ("row",)}, "keywords"),
        (no_parameters, {"local": True, "proper": True, "link": torch.log_softmax}, "got both"),
    ],
)
def test_a_declaration_that_does_not_fit_is_refused(function, options, message: str):
    with pytest.raises(TypeError, match=message):
        declare(source="here", **options)(function)


@pytest.mark.parametrize(
    ("parameter", "right", "wrong"),
    [
        (
            FloatParam(0.1, 1.0, default=0.5),
            [0.1, 1, 0.7, np.float32(0.5), np.int64(1)],
            [0.0, 1.1, None, True, float("inf")],
        ),
        (FloatParam(0.1, 1.0, default=0.5, valid=Interval(0, 2, open_low=True)), [2.0], [0, 2.1]),
        (IntParam(1, 10, default=2), [1, 10, 2.0], [0, 11, 2.5, "2", float("inf")]),
        (ChoiceParam((1, 2), default=1), [1, 2.0], [3, True, None]),
    ],
)
def test_a_parameter_knows_its_values(parameter, right, wrong):
    for value in right:
        assert parameter.mistake("t", value) is None
        assert parameter.clean(value) == value
    for value in wrong:
        assert "t must be" in parameter.mistake("t", value)


def test_losses_do_not_load_the_compiler():
    code = "import sys, autoloss.losses; sys.exit('torch._dynamo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
