"""Margin-based label smoothing."""

from __future__ import annotations

from torch import Tensor

from autoloss.losses.component import Scored
from autoloss.losses.declare import declare_penalty
from autoloss.losses.parameters import FloatParam, Interval


@declare_penalty(
    source="Liu et al. 2022, The Devil Is in the Margin: Margin-Based Label Smoothing for Network "
    "Calibration, CVPR, arXiv:2111.15430",
    use="An overconfident network on learnt examples; it leaves unsure examples alone.",
    masked=False,
    m=FloatParam(2.0, 20.0, default=10.0, valid=Interval(0.0, float("inf"))),
    weight=FloatParam(0.01, 1.0, default=0.1, log=True, valid=Interval(0.0, float("inf"))),
)
def margin_smoothing(scored: Scored, *, m: Tensor) -> Tensor:
    """Excess of the largest logit's lead over a margin, the mean over the classes.

    ``R = sum_k max(0, max_j z_j - z_k - m) / C``. The paper has the sum; here, as in the authors'
    code, it is the mean over the classes. If the probabilities of the posterior differ by less
    than a factor of ``exp(m)``, the penalty is 0 and flat at the minimum of the base, which stays
    the minimum. Otherwise the minimum lies at the kink ``z_k = max_j z_j - m`` for every rarer
    class, and the posterior cannot be read.

    Args:
        scored: The batch.
        m: Margin of the logits, at least 0.

    Shape:
        ``m (k, 1)`` or ``(k, 1, 1)`` → ``(k, *items)``, 0 for an item without a label.

    Examples:
        >>> import torch
        >>> logits = torch.tensor([[[12.0, 0.0], [1.0, 0.0]]])
        >>> batch = Scored(logits, logits.log_softmax(-1), torch.tensor([[0, 1]]))
        >>> margin_smoothing.function(batch, m=torch.tensor([[10.0]]))
        tensor([[1., 0.]])
    """
    below_top = scored.logits.amax(-1, keepdim=True) - scored.logits
    excess = (below_top - m[..., None]).relu().mean(-1)
    return excess.where(scored.weights() > 0, 0.0)
