"""Metrics, states, numbers and names as text, in one place for every output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from autoloss.report.metric_words import METRICS as METRICS
from autoloss.report.metric_words import NAMES_OF_PEOPLE
from autoloss.report.metric_words import MetricWords as MetricWords
from autoloss.report.metric_words import metric_words as metric_words

MISSING = "–"


STATES = {
    "complete": "complete",
    "diverged": "diverged",
    "stopped": "stopped early",
    "pruned": "left the race",
    "failed": "failed",
    "running": "still running",
}
ORIGINS = {"default": "literature default", "quota": "family quota", "sampler": "sampler"}
_SETTINGS = {"lr": "learning rate", "base": "base loss"}
_ACRONYMS = frozenset({"sm", "am", "l", "nce", "rce", "mae", "elr", "ldam", "emd", "ece", "jsd"})
READOUTS = {
    "softmax": "softmax of the logits",
    "softmax+temperature": "softmax of the logits over a fitted temperature",
    "link": "the loss's own link",
    "link+temperature": "the loss's own link with a fitted temperature",
    "prior": "softmax with the training prior undone",
    "prior+temperature": "softmax with the training prior undone and a fitted temperature",
}


def family_words(name: str) -> str:
    """Return a family's name as words; acronyms have capitals.

    Examples:
        >>> family_words("generalized_cross_entropy"), family_words("sm_softmax")
        ('generalized cross-entropy', 'SM softmax')
    """
    words = [word.upper() if word in _ACRONYMS else word for word in name.split("_")]
    return " ".join(words).replace("cross entropy", "cross-entropy")


def setting_words(key: str) -> str:
    """Return a setting of a trial in words; a loss's own parameter keeps its name.

    Examples:
        >>> setting_words("lr"), setting_words("base"), setting_words("focal.gamma")
        ('learning rate', 'base loss', 'focal.gamma')
    """
    return _SETTINGS.get(key, key if "." in key else key.replace("_", " "))


def label_words(label: str) -> str:
    """Return a loss in words: its family and its other parts, without numbers.

    Examples:
        >>> label_words("cross_entropy + class_weight beta=0.5 + smoothing epsilon=0.1")
        'cross-entropy with class weight and smoothing'
    """
    family, *rest = (part.split()[0] for part in label.split(" + "))
    more = listed([family_words(name) for name in rest]) if rest else ""
    return family_words(family) + (f" with {more}" if more else "")


def is_number(value: Any) -> bool:
    """Return whether `value` is a finite number (and no boolean)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def value_text(name: str, value: float | None) -> str:
    """Return a metric's value as a reader sees it: ``"12.34%"``, ``"0.3210"``, ``"–"`` if missing.

    Examples:
        >>> value_text("error", 0.12345), value_text("brier", 0.2), value_text("ece", None)
        ('12.35%', '0.2000', '–')
    """
    if value is None or not is_number(value):
        return MISSING
    if metric_words(name).kind == "share":
        return f"{100 * value:.2f}%".replace("-", "−")
    return _decimals(value)


def share_text(value: float) -> str:
    """Return a share as a percentage with one decimal."""
    return f"{100 * value:.1f}%" if math.isfinite(value) else MISSING


def whole_share_text(share: float) -> str:
    """Return a share as a whole percentage; a small share above zero is ``<1%``.

    Examples:
        >>> whole_share_text(0.7), whole_share_text(0.0004), whole_share_text(0.0)
        ('70%', '<1%', '0%')
    """
    if not math.isfinite(share):
        return MISSING
    return "<1%" if 0.0 < share < 0.005 else f"{100 * share:.0f}%"


def difference_text(name: str, value: float | None) -> str:
    """Return a difference with its sign; shares in percentage points.

    Examples:
        >>> difference_text("error", -0.0042), difference_text("brier", 0.01)
        ('−0.42 pp', '+0.0100')
    """
    if value is None or not is_number(value):
        return MISSING
    share = metric_words(name).kind == "share"
    text = f"{100 * abs(value):.2f} pp" if share else _decimals(abs(value))
    if not text.strip("0. p"):
        return text
    return ("−" if value < 0 else "+") + text


def interval_text(name: str, low: float, high: float) -> str:
    """Return a 95% interval of a difference: ``"−0.80 to +0.10 pp"``.

    Two shares differ by 100 percentage points at most; the t distribution of two training runs
    knows no bound.

    Examples:
        >>> interval_text("error", -1.9, 0.25), interval_text("log_loss", -1.9, 0.25)
        ('−100.00 to +25.00 pp', '−1.9000 to +0.2500')
    """
    unit = ""
    if metric_words(name).kind == "share":
        unit, low, high = " pp", max(low, -1.0), min(high, 1.0)
    first = difference_text(name, low).removesuffix(unit)
    return f"{first} to {difference_text(name, high)}"


def points_text(name: str, value: float) -> str:
    """Return the size of a difference for a sentence, without its sign.

    Examples:
        >>> points_text("error", -0.012), points_text("log_loss", 0.5), points_text("gain", 2.0)
        ('1.20 pp', '0.5000 nats', '2.0000')
    """
    if not is_number(value):
        return MISSING
    kind = metric_words(name).kind
    if kind == "share":
        return f"{100 * abs(value):.2f} pp"
    return _decimals(abs(value)) + (" nats" if kind == "nats" else "")


def spread_text(name: str, values: Sequence[float]) -> str:
    """Return the mean and the standard deviation of a metric over several training runs.

    Values that are not finite are left out, and the text has the number of the others.

    Examples:
        >>> spread_text("error", [0.1, 0.2]), spread_text("brier", [0.5, float("nan")])
        ('15.00 ± 7.07%', '0.5000 (1 of 2)')
    """
    found = [value for value in values if is_number(value)]
    if not found:
        return MISSING
    mean = sum(found) / len(found)
    part = f" ({len(found)} of {len(values)})" if len(found) < len(values) else ""
    if len(found) == 1:
        return value_text(name, mean) + part
    squares = sum((value - mean) * (value - mean) for value in found)
    spread = value_text(name, math.sqrt(squares / (len(found) - 1)))
    unit = "%" if metric_words(name).kind == "share" else ""
    return f"{value_text(name, mean).removesuffix(unit)} ± {spread}{part}"


def reading_text(low: float, high: float, *, lower_is_better: bool) -> str:
    """Return the meaning of the interval of a difference.

    Examples:
        >>> reading_text(-0.2, -0.1, lower_is_better=True)
        'better'
        >>> reading_text(-0.2, 0.1, lower_is_better=True)
        'no clear difference'
    """
    if not (is_number(low) and is_number(high)):
        return "unknown"
    if low <= 0.0 <= high:
        return "no clear difference"
    return "better" if (high < 0.0) == lower_is_better else "worse"


def listed(items: Sequence[str]) -> str:
    """Return texts as a list within a sentence.

    Examples:
        >>> listed(["a", "b", "c"])
        'a, b and c'
    """
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last


def size_text(n_bytes: int) -> str:
    """Return a number of bytes in megabytes, or in gigabytes from a thousand of them.

    Examples:
        >>> size_text(310_400_000), size_text(2_345_000_000), size_text(20_000)
        ('310 MB', '2.3 GB', '1 MB')
    """
    size = max(n_bytes / 1e6, 1.0)
    return f"{size:,.0f} MB" if size < 999.5 else f"{size / 1e3:,.1f} GB"


def duration_text(seconds: float | None) -> str:
    """Return a duration in its two largest units, without a zero.

    Examples:
        >>> duration_text(0.42), duration_text(83.4), duration_text(7200)
        ('0.42 s', '1 min 23 s', '2 h')
    """
    if seconds is None or not is_number(seconds):
        return MISSING
    if seconds < 59.5:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def count_text(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun.

    Examples:
        >>> count_text(1, "trial"), count_text(1200, "trial")
        ('1 trial', '1,200 trials')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def in_sentence(title: str) -> str:
    """Return a title as it stands within a sentence; an acronym keeps its capitals.

    Examples:
        >>> [in_sentence(title) for title in ("Brier score", "Error", "AUROC", "F1")]
        ['Brier score', 'error', 'AUROC', 'F1']
    """
    is_name = title[:2].isupper() or title.startswith(NAMES_OF_PEOPLE)
    return title if is_name else title[:1].lower() + title[1:]


def metric_in_sentence(name: str) -> str:
    """Return a metric as it stands within a sentence.

    Examples:
        >>> metric_in_sentence("log_loss"), metric_in_sentence("brier")
        ('log loss', 'Brier score')
    """
    return in_sentence(metric_words(name).title)


def quoted(name: str, most: int = 32) -> str:
    """Return a name from the data as it stands within a text, cut where it is very long.

    Examples:
        >>> quoted("yes"), quoted("a very long name", most=8)
        ('“yes”', '“a very …”')
    """
    return f"“{short(str(name), most)}”"


def capital(text: str) -> str:
    """Return a text with a capital at its start, its other letters as they are."""
    return text[:1].upper() + text[1:]


def short(text: str, most: int = 28) -> str:
    """Return a name that fits beside an axis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def date_text(iso: str) -> str:
    """Return an ISO 8601 moment to the minute, or the text itself if it is not a moment."""
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return moment.strftime("%Y-%m-%d %H:%M ") + (moment.tzname() or "UTC")


def setting_text(value: Any) -> str:
    """Return a setting for a reader: numbers with three digits, lists with commas."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return figure_text(value)
    if isinstance(value, dict):
        return ", ".join(f"{key} = {setting_text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(setting_text(item) for item in value)
    return str(value)


def figure_text(value: float) -> str:
    """Return a setting or a duration in three significant digits, whole from 1000 on.

    Examples:
        >>> figure_text(0.0072071), figure_text(3600.0), figure_text(1e-05)
        ('0.00721', '3600', '1e-05')
    """
    if not math.isfinite(value):
        return MISSING
    return f"{value:.0f}" if 1e3 <= abs(value) < 1e12 else f"{value:.3g}"


def _decimals(value: float) -> str:
    """Return four decimals, or two significant digits of a small value."""
    size = abs(value)
    if size >= 1000:
        text = f"{size:.4g}"
    elif size >= 0.001 or size < 1e-8:
        text = f"{size:.4f}"
    else:
        text = f"{size:.{1 - math.floor(math.log10(size))}f}"
    return f"−{text}" if value < 0 and size >= 1e-8 else text
