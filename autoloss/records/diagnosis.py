"""The findings of a diagnosis as frozen values, without torch, so that pages render without it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from autoloss.core.display import Card, Shown, figures
from autoloss.records import Reliability
from autoloss.records.ood import Strangers
from autoloss.records.surface import Surface

SCHEMA_VERSION = 1
Kind = Literal["model", "logits", "probabilities"]
ReadoutName = Literal["as given", "softmax", "prior shift", "prior undone", "link"]


@dataclass(frozen=True)
class WithNull:
    """A calibration error, and its distribution for a perfectly calibrated model on these rows.

    Args:
        value: The error.
        null: The mean error of the perfectly calibrated model.
        high: The 95 % quantile of its error.
        p_value: Share of the draws at least as large as `value`, at least ``1 / (draws + 1)``.
    """

    value: float
    null: float
    high: float
    p_value: float

    @property
    def is_shown(self) -> bool:
        """Return whether a perfectly calibrated model would seldom show this error."""
        return self.value > self.high


@dataclass(frozen=True)
class Calibration:
    """The calibration of the probability of the predicted class.

    Args:
        ece: Expected calibration error, 15 bins of equal width.
        smooth: Smooth calibration error, without bins.
        debiased: Squared calibration error less its bias, 15 equally full bins; may be negative.
        draws: Draws of the labels from the model's own probabilities.
    """

    ece: WithNull
    smooth: WithNull
    debiased: WithNull
    draws: int


@dataclass(frozen=True)
class ReadoutRow:
    """One way of reading probabilities from the same scores.

    Args:
        name: The source of the scores.
        has_temperature: Whether a temperature was fitted too.
        log_loss: Mean log loss in nats; cross-fitted if anything is fitted.
        gain: Log loss as given less this log loss: above 0 it is better.
        low: Lower end of the 95 % interval of the gain (paired bootstrap).
        high: Upper end of it.
        temperature: The divisor of the scores, fitted on all rows; 1 for none.
        shift: The addend to the log probability of each class; empty for none.
        is_flat: Whether the temperature is so high that all classes get the same probability.
    """

    name: ReadoutName
    has_temperature: bool
    log_loss: float
    gain: float
    low: float
    high: float
    temperature: float = 1.0
    shift: tuple[float, ...] = ()
    is_flat: bool = False

    @property
    def label(self) -> str:
        """Return a name such as ``"softmax + temperature"``."""
        return f"{self.name} + temperature" if self.has_temperature else self.name


@dataclass(frozen=True)
class RowGroup:
    """A group of rows with its share of the gradient.

    Args:
        name: The class, the tenth of p, or the common property of the rows.
        rows: The number of rows.
        share: Their share of all rows, or of the weights if rows have weights.
        gradient: Their share of the gradient of each loss of `GradientSignals.losses`.
    """

    name: str
    rows: int
    share: float
    gradient: tuple[float, ...]


@dataclass(frozen=True)
class ClassRow:
    """A class with its share of the labels and of the probabilities.

    Args:
        name: The class.
        rows: Rows with this label.
        share: Share of the labels.
        predicted: Mean probability.
        low: Lower end of the share in 95 % of draws from the probabilities.
        high: Upper end of it.
        error: Share of its rows that are predicted as another class; NaN without rows.
        gradient: Share of the gradient of each loss of `GradientSignals.losses`.
    """

    name: str
    rows: int
    share: float
    predicted: float
    low: float
    high: float
    error: float
    gradient: tuple[float, ...]

    @property
    def is_shifted(self) -> bool:
        """Return whether the share of the labels lies outside the band."""
        return not self.low <= self.share <= self.high


@dataclass(frozen=True)
class LossSignal:
    """The gradient of one loss on these predictions.

    Args:
        label: The loss and its setting.
        dead: Share of the wrong rows that get less than a hundredth of cross-entropy's gradient.
        median_wrong: Median over the wrong rows of the gradient in units of cross-entropy's.
        curve: Mean gradient in units of cross-entropy's in each twentieth of p; NaN without rows.
    """

    label: str
    dead: float
    median_wrong: float
    curve: tuple[float, ...]


@dataclass(frozen=True)
class GradientSignals:
    """The gradient on the logits of each row: half the sum of its absolute values.

    For cross-entropy that is ``1 - p`` of the true class.

    Args:
        losses: The compared losses, the requested loss first.
        tenths: Rows by the probability p of the true class, ten parts of equal width.
        suspects: The rows with a suspect label.
        histogram: Share of the rows in each twentieth of p.
        n_wrong: Rows with a wrong prediction.
    """

    losses: tuple[LossSignal, ...]
    tenths: tuple[RowGroup, ...]
    suspects: RowGroup
    histogram: tuple[float, ...]
    n_wrong: int


@dataclass(frozen=True)
class Saturation:
    """Squared error beside cross-entropy on the same predictions, on the true class's logit.

    Args:
        convention: The form of the squared error: half of one square behind a sigmoid for two
            classes, else the sum over the classes behind a softmax.
        saturated: Share of all rows with under a hundredth of cross-entropy's gradient.
        saturated_wrong: The same among the wrong rows.
        concave: Share of all rows where the squared error has negative curvature.
        concave_wrong: The same among the wrong rows.
        ratio_wrong: Median ratio of the two gradients among the wrong rows.
        ratio_worst: The largest ratio.
        gradient: Mean gradient of cross-entropy and of squared error among the wrong rows.
        curvature: Mean curvature ``p (1 - p)`` of cross-entropy and ``(p (1 - p))²`` of squared
            error (Gauss-Newton) among the wrong rows.
    """

    convention: str
    saturated: float
    saturated_wrong: float
    concave: float
    concave_wrong: float
    ratio_wrong: float
    ratio_worst: float
    gradient: tuple[float, float]
    curvature: tuple[float, float]


@dataclass(frozen=True)
class Suspect:
    """A row whose label the model contradicts.

    Args:
        row: Its number in the file, from 0.
        given: Its label.
        suggested: The class that the rule assigns.
        p_given: Cross-fitted probability of its label.
        p_suggested: Cross-fitted probability of the suggested class.
    """

    row: int
    given: str
    suggested: str
    p_given: float
    p_suggested: float


@dataclass(frozen=True)
class Suspects:
    """Labels that may be wrong, by the rule of confident learning.

    Args:
        count: The number of rows.
        share: Their share of the rows.
        expected: How many the rule would name if every label were drawn from the model's own
            probabilities: confusion of classes that overlap, no mistake of a label.
        worst: The rows that the model contradicts most.
    """

    count: int
    share: float
    expected: float
    worst: tuple[Suspect, ...]


@dataclass(frozen=True)
class Bits:
    """The mean code length of a label, in bits.

    Args:
        prior: With the class shares alone: their entropy.
        given: With the probabilities as given: the log loss over ln 2.
        best: With the best read-out.
    """

    prior: float
    given: float
    best: float


@dataclass(frozen=True, repr=False)
class Diagnosis(Shown):
    """The findings about a model and its training loss, from predictions and labels.

    Args:
        name: The name of the model or of the file.
        kind: A model of ours, or saved logits or probabilities.
        rows: Rows N.
        effective_rows: Rows that count after weighting, ``(sum w)² / sum w²``; N without weights.
        classes: Names of the classes C.
        loss: The loss of `signal`, as dotted keys.
        loss_label: Its short name.
        error: Share of rows with a wrong prediction.
        log_loss: Mean log loss in nats, as given.
        calibration: The calibration errors.
        reliability: Reliability diagrams, as given and after the best read-out.
        readouts: The ways to read probabilities, as given first.
        best: Place in `readouts` of the read-out to take: as given, unless a later read-out is
            shown to have a lower log loss (the 95 % interval of the difference lies above 0),
            and so on.
        class_rows: A row per class, or per label of several.
        class_distance: Total variation distance between label shares and mean probabilities; of
            several labels the mean of theirs.
        signal: The gradient on these predictions.
        saturation: Squared error beside cross-entropy.
        suspects: Labels that may be wrong.
        bits: Code lengths.
        surface: The surface of the losses around the network; None if there is none.
        surface_reason: Why there is none; empty otherwise.
        strangers: Scores of OOD rows; None if none are given.
        is_inverted: Whether the scores rank the classes the wrong way: a class gets less
            probability on its own rows than on all.
        notes: Further notes for the reader.
        version: Version of autoloss.
        schema_version: Of this record.
        labels: The names of several labels; each label of a row then counts as a row. Empty for
            one label a row.
    """

    name: str
    kind: Kind
    rows: int
    effective_rows: float
    classes: tuple[str, ...]
    loss: dict[str, Any]
    loss_label: str
    error: float
    log_loss: float
    calibration: Calibration
    reliability: tuple[Reliability, ...]
    readouts: tuple[ReadoutRow, ...]
    best: int
    class_rows: tuple[ClassRow, ...]
    class_distance: float
    signal: GradientSignals
    saturation: Saturation
    suspects: Suspects
    bits: Bits
    strangers: Strangers | None = None
    is_inverted: bool = False
    notes: tuple[str, ...] = ()
    version: str = ""
    schema_version: int = SCHEMA_VERSION
    labels: tuple[str, ...] = ()
    surface: Surface | None = None
    surface_reason: str = "saved predictions have no weights"

    @property
    def size_text(self) -> str:
        """Return the numbers of rows and classes, or of labels, in words."""
        if self.labels:
            return f"{self.rows:,} known labels, {len(self.labels)} a row"
        return f"{self.rows:,} rows, {len(self.classes)} classes"

    def _card(self) -> Card:
        best, ece = self.readouts[self.best], self.calibration.ece
        inverted = ("scores", "inverted: they rank the classes the wrong way")
        pairs = (
            ("size", self.size_text),
            ("as given", figures([("error", self.error), ("log loss", self.log_loss)])),
            ("best read-out", f"{best.label}, log loss {best.log_loss:.4g}"),
            ("ECE", f"{ece.value:.4g}, by chance {ece.null:.4g}"),
            *((inverted,) if self.is_inverted else ()),
        )
        return Card(f"Diagnosis of {self.name!r}", pairs)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values; NaN stays, for `autoloss.report.finite` to write."""
        return asdict(self)
