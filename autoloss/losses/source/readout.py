"""The lines of code by which a written loss reads probabilities from logits."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from autoloss.losses.source.parts import SourceParts
from autoloss.losses.targets import FLOOR

_WIDE = "logits.to(torch.promote_types(logits.dtype, torch.float32))"


@dataclass(frozen=True)
class Reading:
    """How scores are made whose softmax are the probabilities.

    Args:
        text: What they are.
        lines: The lines that make them of `logits`.
    """

    text: str
    lines: tuple[str, ...]

    @property
    def body(self) -> str:
        """Return the lines as they stand in a method."""
        return textwrap.indent("\n".join(self.lines), " " * 8)


def reading_of(parts: SourceParts, *, plain_scores: bool) -> Reading | None:
    """Return how probabilities are read, None where it is from what the loss reads.

    Args:
        parts: The functions of the loss.
        plain_scores: Whether that is the logits themselves.
    """
    facts, loss = parts.facts, parts.facts.loss
    weighted = facts.class_weights is not None
    if facts.read == "softmax":
        if plain_scores:
            return None
        pairs = "torch.stack([torch.zeros_like(logits), logits], -1)"
        lines = [f"logits = {_WIDE}", f"return {pairs}"]
        return Reading(
            "the logits themselves",
            tuple(lines) if facts.task == "multilabel" else (f"return {_WIDE}",),
        )
    lines = ["scores = self.scores(logits)"]
    if facts.read == "prior":
        seen = "scores"
        if loss.view is not None:
            lines += _context(parts, loss.view)
            seen = parts.call(loss.view, "scores")
        if seen == "scores" and not weighted:
            return None
        minus = " - CLASS_WEIGHTS.to(scores).log()" if weighted else ""
        lines.append(f"return {seen}{minus}")
        return Reading("the prior is undone", tuple(lines))
    if parts.reader is None and not weighted and not facts.spread:
        return None
    lines += _links(parts)
    if facts.spread:
        lines += _unspread(parts)
    elif parts.reader is not None:
        lines += [
            "# exp(-100) is as good as no probability, and can be divided by a temperature.",
            "return links.maximum(links.amax(-1, keepdim=True) - 100.0)",
        ]
    else:
        lines[-1] = lines[-1].replace("links =", "return", 1)
    return Reading("the loss is least there", tuple(lines))


def _context(parts: SourceParts, *functions: object) -> list[str]:
    if any(parts.takes_context(one) for one in functions):  # type: ignore[arg-type]
        return [f"context = {parts.context(reading=True)}"]
    return []


def _links(parts: SourceParts) -> list[str]:
    """Return the lines that make `links`, log posteriors, of `scores`."""
    facts, loss = parts.facts, parts.facts.loss
    weights = "CLASS_WEIGHTS.to(scores)" if facts.class_weights is not None else ""
    reader = parts.name(parts.reader)
    if facts.kind == "slopes" or facts.is_pushed:
        return _by_slopes(parts, weights)
    if parts.reader is None:
        lines = ["links = scores"]
    elif parts.reader is loss.link:
        lines = [*_context(parts, loss.link), f"links = {parts.call(loss.link, 'scores')}"]
    else:
        lines = [f"links = {reader}({parts.name(loss.function)}, scores)"]
    if weights:
        lines[-1] += f" - {weights}.log()"
    return lines


def _by_slopes(parts: SourceParts, weights: str) -> list[str]:
    """Return the same where the posterior is read from the slopes of loss and penalty."""
    facts, loss, penalty = parts.facts, parts.facts.loss, parts.facts.penalty
    lines, cost = [], ""
    if facts.is_pushed:
        assert penalty is not None
        seen = "scores" if loss.view is None else "view"
        lines += ["", "def cost(scores: Tensor) -> Tensor:"]
        inside = [*_context(parts, loss.view)]
        if loss.view is not None:
            inside.append(f"view = {parts.call(loss.view, 'scores')}")
        weight = float(facts.spec[f"{penalty.name}.weight"])
        inside += [
            "labels = scores.new_zeros(scores.shape[:-1], dtype=torch.int64)",
            f"batch = {parts.batch(seen, 'labels', None)}",
            f"return {weight} * {parts.name(penalty.function)}(batch)[0]",
        ]
        lines += [f"    {line}" for line in inside]
        cost = " + cost(scores).unsqueeze(-1)"
    if loss.local:
        every = f"{parts.name(loss.function)}(log_p)"
        if not weights and facts.is_pushed:
            made, named = [], parts.name(loss.function)
        else:
            made = ["", "def every(log_p: Tensor) -> Tensor:", f"    return {weights} * {every}"]
            named = "every"
        return [*lines, *made, "", f"links = {parts.name(parts.reader)}({named}, cost, scores)"]
    context = parts.context(every=True, reading=True)
    given = parts.call(loss.function, "scores.unsqueeze(-2)", "EVERY")
    lines += ["", "def every(scores: Tensor) -> Tensor:"]
    if parts.takes_context(loss.function):
        lines.append(f"    context = {context}")
    lines.append(f"    return {f'{weights} * ' if weights else ''}{given}{cost}")
    return [*lines, "", f"links = {parts.name(parts.reader)}(every, scores)"]


def _unspread(parts: SourceParts) -> list[str]:
    """Return the lines that undo the spreading of labels."""
    facts = parts.facts
    kept, epsilon = 1.0 - facts.epsilon, facts.epsilon
    if facts.spread == "even":
        lines = [f"probs = (links.softmax(-1) - {epsilon} / links.shape[-1]) / {kept}"]
    else:
        lines = [
            f"spread = {kept} * torch.eye(len(SIMILARITY)) + {epsilon} * SIMILARITY",
            "probs = links.softmax(-1) @ torch.linalg.inv(spread).to(links)",
        ]
    return [*lines, f"return probs.clamp_min({FLOOR}).log()"]
