"""The settings that explain the variation among the trials, in words."""

from __future__ import annotations

import math

from autoloss.records import Summary
from autoloss.report.words import capital, listed, setting_words, whole_share_text

_LOSS = "the loss and its parameters"


def importance_pairs(summary: Summary) -> tuple[tuple[str, float], ...]:
    """Return each setting in words and its share, the largest first."""
    pairs = [(_words(key), share) for key, share in summary.importance if math.isfinite(share)]
    return tuple(sorted(pairs, key=lambda pair: -pair[1]))


def importance_text(summary: Summary) -> str:
    """Return a sentence on the causes of the variation among trials, if known."""
    training = {key for trial in summary.trials for key in trial.nuisance}
    groups: dict[str, float] = {}
    for key, share in summary.importance:
        if math.isfinite(share):
            own = key.removeprefix("nuisance.")
            name = setting_words(own) if own in training else _LOSS
            groups[name] = groups.get(name, 0.0) + share
    if not groups:
        return ""
    ordered = sorted(groups.items(), key=lambda pair: -pair[1])
    verbs = [" explain" if ordered[0][0] == _LOSS else " explains"] + [""] * len(ordered)
    parts = [
        f"{name}{verb} {whole_share_text(share)}"
        for (name, share), verb in zip(ordered, verbs, strict=False)
    ]
    sentence = listed(parts) if len(parts) > 1 else parts[0]
    return f"{capital(sentence)} of the variation of the log loss among trials."


def _words(key: str) -> str:
    return setting_words(key.removeprefix("nuisance.").removeprefix("loss."))
