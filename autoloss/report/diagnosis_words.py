"""The findings of a diagnosis as sentences and rows, shared by terminal and page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autoloss.records.diagnosis import ClassRow, Diagnosis, LossSignal, ReadoutRow
from autoloss.report.ood import is_fooled, summary_text
from autoloss.report.surface import surface_text
from autoloss.report.words import MISSING, capital, count_text, family_words, share_text

# A class beyond these is named by its number alone where the page would not end.
MOST_ROWS = 30
KINDS = {
    "model": "the read-out of the model",
    "logits": "saved logits",
    "probabilities": "saved probabilities",
}


@dataclass(frozen=True)
class Finding:
    """A finding: its subject, its sentence, and whether it needs action."""

    subject: str
    text: str
    is_problem: bool


def findings(found: Diagnosis) -> tuple[Finding, ...]:
    """Return the findings in reading order."""
    return (
        _calibration(found),
        _readout(found),
        _prior(found),
        _signal(found),
        _saturation(found),
        _surface(found),
        _labels(found),
        *_strangers(found),
        _bits(found),
    )


def headline(found: Diagnosis) -> str:
    """Return the verdict in one sentence."""
    ece, best = found.calibration.debiased, found.readouts[found.best]
    if found.is_inverted:
        return "The scores rank the classes in reverse: each class scores lower on its own rows."
    if best.is_flat:
        return capital(
            f"{readout_words(best)} would lower the log loss by {number(best.gain)} nats: the "
            "scores carry no information on the class."
        )
    if found.best:
        what = readout_words(best)
        return capital(f"{what} would lower the log loss by {number(best.gain)} nats.")
    if ece.is_shown:
        return "The probabilities are miscalibrated, but no fitted read-out improves them."
    return "No read-out is significantly better than the given probabilities."


def number(value: float, digits: int = 3) -> str:
    """Return a number with a few significant digits.

    Examples:
        >>> [number(one) for one in (0.123456, -2e-7, 1234567.0, float("nan"))]
        ['0.123', '−2e-07', '1,234,567', '–']
    """
    if not math.isfinite(value):
        return MISSING
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"
    return text.replace("-", "−", 1) if value < 0 else text


def signed(value: float) -> str:
    """Return a number with its sign."""
    return f"+{number(value)}" if value > 0 else number(value)


def loss_words(one: LossSignal) -> str:
    """Return the name of a loss; the Brier score is the squared error of probabilities."""
    return "squared error" if one.label == "brier" else family_words(one.label)


def readout_words(row: ReadoutRow) -> str:
    """Return the words for a read-out."""
    parts = {
        "as given": "the probabilities as given",
        "softmax": "the softmax of the raw logits",
        "prior shift": "a shift of each class",
        "prior undone": "the training prior undone",
        "link": "the loss's own link",
    }
    if row.is_flat:
        return "the class shares alone" if row.shift else "equal probabilities of all classes"
    if row.name == "as given" and row.has_temperature:
        return f"a temperature of {number(row.temperature)}"
    with_it = f" with a temperature of {number(row.temperature)}" if row.has_temperature else ""
    return parts[row.name] + with_it


def calibration_rows(found: Diagnosis) -> list[tuple[str, ...]]:
    """Return a row an error: name, value, null level, 95% level, p-value."""
    calibration = found.calibration
    named = (
        ("ECE, 15 bins of equal width", calibration.ece),
        ("Smooth ECE", calibration.smooth),
        ("Debiased squared error", calibration.debiased),
    )
    return [
        (name, number(one.value), number(one.null), number(one.high), _p(one.p_value))
        for name, one in named
    ]


def readout_rows(found: Diagnosis) -> list[tuple[str, ...]]:
    """Return a row per read-out: name, temperature, log loss, gain, interval."""
    return [
        (
            f"{row.label}{' *' if place == found.best else ''}",
            _temperature(row),
            f"{row.log_loss:.4f}",
            signed(row.gain) if place else MISSING,
            f"{signed(row.low)} to {signed(row.high)}" if place else MISSING,
        )
        for place, row in enumerate(found.readouts)
    ]


def _temperature(row: ReadoutRow) -> str:
    """Return a temperature; infinity where nothing of the scores is left."""
    if not row.has_temperature:
        return MISSING
    return "∞" if row.is_flat else number(row.temperature)


def class_rows(found: Diagnosis, *, most: int = MOST_ROWS) -> list[tuple[str, ...]]:
    """Return a row per class: name, rows, share, mean probability, band, error, gradients.

    Of many classes it shows the largest shares of the first loss's gradient.
    """
    shown = chosen_classes(found, most)
    return [
        (
            row.name,
            f"{row.rows:,}",
            share_text(row.share),
            share_text(row.predicted),
            f"{share_text(row.low)} to {share_text(row.high)}",
            share_text(row.error),
            *map(share_text, row.gradient),
        )
        for row in shown
    ]


def chosen_classes(found: Diagnosis, most: int = MOST_ROWS) -> Sequence[ClassRow]:
    """Return the classes that are shown."""
    if len(found.class_rows) <= most:
        return found.class_rows
    largest = sorted(found.class_rows, key=lambda row: -row.gradient[0])[:most]
    names = {row.name for row in largest}
    return [row for row in found.class_rows if row.name in names]


def tenth_rows(found: Diagnosis) -> list[tuple[str, ...]]:
    """Return a row per tenth of p: range, rows, share of rows, gradients."""
    parts = [*found.signal.tenths, found.signal.suspects]
    return [
        (
            "suspect labels" if one.name == "suspects" else one.name,
            f"{one.rows:,}",
            share_text(one.share),
            *map(share_text, one.gradient),
        )
        for one in parts
    ]


def signal_rows(found: Diagnosis) -> list[tuple[str, ...]]:
    """Return a row per loss: name, dead zone, median gradient of wrong rows."""
    return [
        (capital(loss_words(one)), share_text(one.dead), number(one.median_wrong))
        for one in found.signal.losses
    ]


def saturation_rows(found: Diagnosis) -> list[tuple[str, str, str]]:
    """Return the effects of squared error: name, all rows, wrong rows."""
    one = found.saturation
    return [
        (
            "Gradient under 1% of cross-entropy's",
            share_text(one.saturated),
            share_text(one.saturated_wrong),
        ),
        ("Negative curvature", share_text(one.concave), share_text(one.concave_wrong)),
        ("Cross-entropy's gradient over its own, median", "", number(one.ratio_wrong)),
        ("The same, largest", "", number(one.ratio_worst)),
        ("Mean gradient: cross-entropy", "", number(one.gradient[0])),
        ("Mean gradient: squared error", "", number(one.gradient[1])),
        ("Mean p (1 - p): cross-entropy's curvature", "", number(one.curvature[0])),
        ("Mean of its square: squared error's", "", number(one.curvature[1])),
    ]


def suspect_rows(found: Diagnosis) -> list[tuple[str, ...]]:
    """Return a row per suspect label: row, label, suggested class, both probabilities."""
    return [
        (f"{one.row:,}", one.given, one.suggested, number(one.p_given), number(one.p_suggested))
        for one in found.suspects.worst
    ]


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.01 else f"{value:.4f}"


def _calibration(found: Diagnosis) -> Finding:
    ece, debiased = found.calibration.ece, found.calibration.debiased
    text = (
        f"ECE {number(ece.value)}; a perfectly calibrated model would show {number(ece.null)} on "
        f"these rows, 95% up to {number(ece.high)}. "
    )
    if debiased.is_shown:
        text += (
            f"The probabilities are not calibrated (debiased error, p = {_p(debiased.p_value)})."
        )
    else:
        text += "There is no significant miscalibration of the predicted class."
    return Finding("Calibration", text, debiased.is_shown)


def _readout(found: Diagnosis) -> Finding:
    first = found.readouts[found.best or 1]
    gain = f"{signed(first.gain)} nats per row (95% {number(first.low)} to {number(first.high)})"
    if found.is_inverted:
        text = (
            "The scores are inverted: a class gets less probability on its own rows than on the "
            "others, and no temperature corrects it. Check the sign of the scores and the order "
            "of the classes, and diagnose again."
        )
    elif found.best:
        text = (
            f"{capital(readout_words(first))} fits best: log loss {found.log_loss:.4f} to "
            f"{first.log_loss:.4f}, {gain}, on held-out rows."
        )
    else:
        text = (
            f"The given probabilities remain: {readout_words(first)} would gain {gain}, and no "
            "other read-out is significantly better."
        )
    return Finding("Read-out", text, bool(found.best) or found.is_inverted)


def _prior(found: Diagnosis) -> Finding:
    off = [row for row in found.class_rows if row.is_shifted]
    n = len(found.class_rows)
    if not off:
        return Finding("Class shares", "The mean probability of each class is its share.", False)
    worst = max(off, key=lambda row: abs(row.share - row.predicted))
    text = (
        f"{len(off)} of {n} classes differ in frequency from their mean probability by more than "
        f"chance; the largest difference is {worst.name!r}: {share_text(worst.share)} of the "
        f"labels, {share_text(worst.predicted)} by the probabilities."
    )
    # One class in twenty lies outside its band by chance.
    return Finding("Class shares", text, len(off) > max(1.0, 0.1 * n))


def _signal(found: Diagnosis) -> Finding:
    first, low = found.signal.losses[0], found.signal.tenths[0]
    if not found.signal.n_wrong:
        return Finding("Gradient", "No decision is wrong.", False)
    text = (
        f"Under {loss_words(first)}, the {share_text(low.share)} of the rows whose class gets "
        f"less than 10% receive {share_text(low.gradient[0])} of the gradient; "
        f"{share_text(first.dead)} of the {found.signal.n_wrong:,} wrong rows get almost none "
        "(under 1% of cross-entropy's)."
    )
    return Finding("Gradient", text, first.dead > 0.05)


def _saturation(found: Diagnosis) -> Finding:
    one = found.saturation
    if not found.signal.n_wrong:
        return Finding("Squared error", "No decision is wrong, so no gradient saturates.", False)
    text = (
        f"Squared error would give the wrong rows a gradient {number(one.ratio_wrong)} times "
        f"smaller than cross-entropy's (median; {number(one.ratio_worst)} times at worst), and "
        f"is concave on {share_text(one.concave_wrong)} of them."
    )
    return Finding("Squared error", text, False)


def _surface(found: Diagnosis) -> Finding:
    if found.surface is None:
        return Finding("Surface", f"There is none: {found.surface_reason}.", False)
    return Finding("Surface", surface_text(found.surface), False)


def _labels(found: Diagnosis) -> Finding:
    one = found.suspects
    part = found.signal.suspects
    text = (
        f"The model contradicts {count_text(one.count, 'label')} (confident learning, "
        f"Northcutt et al. 2021); overlap of the classes alone would give about "
        f"{number(one.expected)}. They receive {share_text(part.gradient[0])} of the gradient."
    )
    # More than drawn labels have, by over twice their own scatter.
    surplus = one.count - one.expected
    return Finding("Labels", text, surplus > 2 * math.sqrt(max(one.expected, 1.0)))


def _strangers(found: Diagnosis) -> list[Finding]:
    if found.strangers is None:
        return []
    text = summary_text(found.strangers)
    return [Finding("OOD rows", text, is_fooled(found.strangers))]


def _bits(found: Diagnosis) -> Finding:
    bits = found.bits
    text = f"A label takes {bits.given:.2f} bits, {bits.prior:.2f} by the class shares alone" + (
        f"; {bits.best:.2f} with the best read-out." if found.best else "."
    )
    return Finding("Bits per label", text, bits.given >= bits.prior)
