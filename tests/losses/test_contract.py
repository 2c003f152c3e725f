"""The contract: every loss meets every law, and every law finds a loss that breaks it."""

from __future__ import annotations

import pytest
import torch

from autoloss.core.errors import InputError
from autoloss.core.task import ALL_TASKS
from autoloss.losses import FloatParam, IntParam, Loss, Special, declare, parameters
from autoloss.losses.context import tilted
from autoloss.losses.contract import check_contract, laws
from autoloss.losses.labels import is_label, pick
from autoloss.losses.numerics import log_softmax

from .cases import ALL, label

LAWS = dict(laws())


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("loss", ALL, ids=label)
def test_every_loss_meets_every_law(loss: Loss, name: str):
    assert LAWS[name](loss) is None


@pytest.mark.parametrize("loss", ALL, ids=label)
def test_declaration_is_complete(loss: Loss):
    assert loss.source
    assert loss.use.endswith(".")
    assert loss.family != "own"
    assert "``L = " in loss.doc
    assert loss.summary.endswith(".")
    assert "Shape:" in loss.doc
    assert ">>>" in loss.doc
    assert set(loss.tasks) <= set(ALL_TASKS)


BROKEN: dict[str, list[Loss]] = {name: [] for name in LAWS}


def breaks(law: str, **declared):
    """Declare a loss that breaks a law and no earlier one."""

    def decorate(function):
        BROKEN[law].append(declare(source="here", **declared)(function))
        return function

    return decorate


def entropy(logits, targets):
    """Return the cross-entropy."""
    return -pick(log_softmax(logits), targets)


@breaks("parameters_are_allowed", a=FloatParam(0.0, 1.0, default=2.0))
def default_outside(logits, targets, *, a):
    """Start outside of its range."""
    return a * entropy(logits, targets)


@breaks("parameters_are_allowed", a=FloatParam(0.0, 1.0, default=0.5, log=True))
def zero_on_a_log_scale(logits, targets, *, a):
    """Have no lowest number of digits."""
    return a * entropy(logits, targets)


@breaks(
    "parameters_are_allowed",
    a=FloatParam(0.0, 5.0, default=2.0, valid=parameters.Interval(0.0, 4.0)),
)
def range_beyond_what_is_allowed(logits, targets, *, a):
    """Be searched where it may not be."""
    return a * entropy(logits, targets)


@breaks("one_value_per_example")
def mean_of_the_batch(logits, targets):
    """Reduce."""
    return entropy(logits, targets).mean()


@breaks("one_value_per_example")
def scaled_by_the_batch(logits, targets):
    """Look at the others, without a slope."""
    values = entropy(logits, targets)
    return values / values.detach().amax()


@breaks("probabilities_are_expectations")
def own_reading_of_labels(logits, targets):
    """Index with the labels itself."""
    return -log_softmax(logits).gather(-1, targets[..., None])[..., 0]


@breaks("probabilities_are_expectations")
def other_for_every_label(logits, targets):
    """Do another thing where all labels are asked for."""
    values = entropy(logits, targets)
    return values if targets.numel() else 1.01 * values


@breaks("one_hot_targets_are_classes")
def more_for_few_classes(logits, targets):
    """Do another thing for every label of three classes."""
    values = entropy(logits, targets)
    return values if targets.numel() or logits.shape[-1] != 3 else 1.01 * values


@breaks("stacked_equals_plain", a=FloatParam(1.0, 2.0, default=1.0))
def first_candidate_decides(logits, targets, *, a):
    """Use one candidate's parameter for all."""
    return a.flatten()[0] * entropy(logits, targets)


@breaks("candidates_are_apart")
def sees_its_neighbour(logits, targets):
    """Look at the other candidates where there are three."""
    values = entropy(logits, targets)
    return values + values.detach().sum(0) * (logits.shape[0] == 3 and logits.ndim == 3)


@breaks("positions_are_examples")
def sees_its_sequence(logits, targets):
    """Look at the other positions."""
    values = entropy(logits, targets)
    return values + values.detach().mean(-1, keepdim=True) if targets.ndim == 3 else values


@breaks("narrow_logits_are_widened")
def as_wide_as_it_likes(logits, targets):
    """Return float64."""
    return entropy(logits, targets).double()


@breaks("numbers_are_finite")
def logarithm_of_a_probability(logits, targets):
    """Take the logarithm of a value that may be 0."""
    return -pick(logits.softmax(-1), targets).log()


@breaks("numbers_are_finite", local=True, a=FloatParam(0.0, 1.0, default=1.0))
def no_slope_at_one(log_p, *, a):
    """Raise 1 - p to a power below 1."""
    return (1.0 - log_p.exp()) ** (0.5 * a + 0.5)


@breaks("numbers_are_finite", link=lambda logits: logits.softmax(-1).log())
def readout_of_a_probability(logits, targets):
    """Read the logarithm of a value that may be 0."""
    return entropy(logits, targets)


@breaks("slopes_are_those_of_the_values", local=True)
def weight_without_a_slope(log_p):
    """Detach the weight of an example."""
    return -((1.0 - log_p.exp().detach()) ** 2) * log_p


@breaks("true_logits_are_rewarded", local=True)
def upside_down(log_p):
    """Reward a low probability."""
    return log_p


@breaks("true_logits_are_rewarded", local=True, a=FloatParam(0.0, 1.0, default=1.0))
def nothing_at_zero(log_p, *, a):
    """Have no slope at the lower end of its parameter."""
    return -a * log_p


@breaks("classes_are_alike")
def fond_of_the_first(logits, targets):
    """Weigh the classes without saying so."""
    weights = torch.arange(logits.shape[-1], dtype=logits.dtype) + 1.0
    return entropy(logits, targets) * pick(weights.expand(logits.shape), targets)


@breaks(
    "special_cases_hold",
    local=True,
    special=(Special(at={"a": 0.0}, equals="cross_entropy", times=2.0),),
    a=FloatParam(0.0, 1.0, default=1.0),
)
def not_what_it_says(log_p, *, a):
    """Be half of the declared loss."""
    return -(1.0 + a) * log_p


@breaks("readout_is_the_null_vector", proper=True, local=True)
def called_proper(log_p):
    """Be improper."""
    return -log_p - 2.0 * torch.expm1(log_p)


@breaks("readout_is_the_null_vector", link=log_softmax)
def read_where_nothing_can_be(logits, targets):
    """Have no slope that depends on the label's probability."""
    wrong = logits.masked_fill(is_label(logits, targets), -torch.inf).amax(-1)
    return (1.0 + wrong - pick(logits, targets)).relu()


@breaks("views_are_logits", view=lambda logits, context: logits.sum(-1))
def view_of_another_shape(logits, targets, *, context):
    """Show something else than logits."""
    return entropy(logits, targets)


@breaks("views_are_logits", view=lambda logits, context: 2.0 * logits)
def view_without_a_prior(logits, targets, *, context):
    """Ignore the prior."""
    return entropy(2.0 * logits, targets)


@breaks("views_are_logits", view=lambda logits, context: tilted(2.0 * logits, context))
def value_without_a_prior(logits, targets, *, context):
    """Ignore the prior where it counts."""
    return entropy(2.0 * logits, targets)


@breaks("sizes_are_served", local=True)
def loses_its_digits(log_p):
    """Subtract large numbers."""
    return (1e4 - log_p) ** 2 / 2e4 - 5e3


@breaks("masked_classes_are_out", masked=True)
def reads_every_logit(logits, targets):
    """Draw all logits to 0."""
    return entropy(logits, targets) + 1e-3 * logits.square().sum(-1)


@breaks("masked_classes_are_out", masked=True)
def knows_no_bound(logits, targets):
    """Look at how far the lowest logit lies below."""
    return entropy(logits, targets) + 0.1 * (logits.amax(-1) - logits.amin(-1)).log1p()


@pytest.mark.parametrize("law", LAWS)
def test_every_law_finds_who_breaks_it(law: str):
    assert BROKEN[law]
    for loss in BROKEN[law]:
        with pytest.raises(InputError) as error:
            check_contract(loss)
        line = str(error.value)
        assert line.startswith(f"{loss.name} must {LAWS[law].rule}, but got ")
        assert "\n" not in line


def test_a_line_names_the_setting_and_what_there_is():
    (scalar, _), (upside, nothing) = (
        BROKEN["one_value_per_example"],
        BROKEN["true_logits_are_rewarded"],
    )
    assert LAWS["one_value_per_example"](scalar) == (
        "mean_of_the_batch must give one value per example, whatever the others are, "
        "but got shape () for 6 examples."
    )
    assert LAWS["true_logits_are_rewarded"](nothing).endswith(" with 4 classes at a=0.")
    assert "a slope of 0.75 on it with 4 classes." in LAWS["true_logits_are_rewarded"](upside)


def test_a_loss_that_fails_inside_is_told_in_one_line():
    @declare(source="here", t=IntParam(1, 3, default=2))
    def failing(logits, targets, *, t):
        """Fail."""
        raise ZeroDivisionError("division\nby zero")

    with pytest.raises(InputError) as error:
        check_contract(failing)
    assert str(error.value) == (
        "failing must give one value per example, whatever the others are, "
        "but got ZeroDivisionError: division at t=2."
    )
    assert isinstance(error.value.__cause__, ZeroDivisionError)


def test_pairs_alone_are_two_classes():
    # A loss that can do no more than two classes says so by its tasks.
    (asymmetric,) = (loss for loss in ALL if loss.name == "asymmetric")
    assert "multiclass" not in asymmetric.tasks
    check_contract(asymmetric)
