"""The whole model as one torch module: scaling, networks, read-outs, their mean, the decision."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from autoloss.data import TableInputs
from autoloss.data.categories import CategoryColumn
from autoloss.data.dates import DIGITS, DateColumn
from autoloss.data.encode import Column
from autoloss.data.numbers import NumericColumn
from autoloss.export.graph_inputs import GraphInputs
from autoloss.inference.classifier import Classifier
from autoloss.inference.member import Member
from autoloss.losses import ClassFacts, Objective, get
from autoloss.metrics import balanced_scores
from autoloss.models import Heads, TableNetwork
from autoloss.readout import mean_log_probs
from autoloss.readout.predictions import calibrated, scores_of

_DAY = 86_400.0
# No written date is farther from 1970, in seconds.
_FARTHEST = 4e11


class ModelGraph(nn.Module):
    """A classifier as a function of tensors: from columns to decisions and probabilities.

    Args:
        classifier: The classifier.
        members: The graph of every member.

    Shape:
        - numbers: ``(N, F)``, float64
        - codes: ``(N, Q)``, int64
        - seconds: ``(N, D)``, float64
        - output: ``(N,)``, the code of the decided class, and ``(N, C)``, float64; of several
          labels 1 for each that a row has, else 0, and its probability, both ``(N, L)``
    """

    def __init__(self, classifier: Classifier, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        shares = classifier.log_shares
        self.has_shares = shares is not None
        self.register_buffer("log_shares", shares)
        temperature = torch.tensor(classifier.temperature, dtype=torch.float64)
        self.register_buffer("temperature", temperature)
        self.decision = classifier.decision
        counts = classifier.class_counts
        self.has_labels = bool(classifier.task.names)
        self.constants = ConstantLabels(ClassFacts(counts, task=classifier.task.kind))
        self.register_buffer("class_counts", counts.sum(0) if self.has_labels else counts)
        costs = classifier.cost_matrix
        self.has_costs = costs is not None
        self.labels_each, thresholds = classifier.labels_each, classifier.thresholds
        self.has_thresholds = thresholds is not None
        self.register_buffer("thresholds", thresholds)
        self.register_buffer("costs", None if costs is None else costs.double())

    def forward(self, numbers: Tensor, codes: Tensor, seconds: Tensor) -> tuple[Tensor, Tensor]:
        """Return decisions and probabilities."""
        return self.concluded([member(numbers, codes, seconds) for member in self.members])

    def concluded(self, logs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return decisions and probabilities from the log probabilities of every member."""
        log_probs = mean_log_probs(
            torch.stack(list(logs)),
            log_shares=self.get_buffer("log_shares") if self.has_shares else None,
            temperature=self.get_buffer("temperature"),
        )
        log_probs = self.constants(log_probs)
        shown = log_probs[..., 1] if self.has_labels else log_probs
        return self._decided(log_probs), shown.exp()

    def _decided(self, log_probs: Tensor) -> Tensor:
        """Return the decision of `Classifier.decisions`."""
        if self.labels_each:
            yes = log_probs[..., 1]
            likeliest = yes.topk(self.labels_each, dim=-1).indices
            return torch.zeros_like(yes, dtype=torch.int64).scatter(-1, likeliest, 1)
        if self.has_thresholds:
            return (log_probs[..., 1].exp() > self.get_buffer("thresholds")).long()
        if self.decision == "expected_cost" and self.has_costs:
            return (log_probs.exp() @ self.get_buffer("costs")).argmin(-1)
        if self.decision == "balanced_error":
            log_probs = balanced_scores(log_probs, self.get_buffer("class_counts"))
        return log_probs.argmax(-1)


class ConstantLabels(nn.Module):
    """Gives labels that did not vary in training their constant probability.

    Args:
        facts: The kind of label, with the training rows of each class.
    """

    def __init__(self, facts: ClassFacts) -> None:
        super().__init__()
        is_constant, values = facts.constants
        self.is_needed = bool(is_constant.any())
        self.register_buffer("is_constant", is_constant)
        self.register_buffer("values", values)

    def forward(self, log_probs: Tensor) -> Tensor:
        """Return log probabilities, ``(N, L, 2)``; of one label a row they stay as they are."""
        if not self.is_needed:
            return log_probs
        values = self.get_buffer("values").to(log_probs.dtype)
        return torch.where(self.get_buffer("is_constant"), values, log_probs)


class ReadoutGraph(nn.Module):
    """The read-out of a member: from the logits of one candidate to log probabilities.

    Args:
        member: The member.
        facts: The kind of label, with the training rows of each class.
        dtype: Type of the logits.

    Shape:
        ``(1, N, C)`` → ``(N, C)``; of several labels ``(1, N, L)`` → ``(N, L, 2)``; of tokens
        ``(1, 1, T, C)`` → ``(1, T, C)``.
    """

    def __init__(self, member: Member, facts: ClassFacts, dtype: torch.dtype) -> None:
        super().__init__()
        self.source, self.mix = member.readout.source, member.readout.mix
        self.constants = ConstantLabels(facts)
        self.objective = Objective([member.readout.spec], facts, dtype=dtype)
        # One for all, or one for each label.
        beta = torch.tensor(member.readout.betas, dtype=torch.float64)
        self.register_buffer("log_beta", beta.log())

    def forward(self, logits: Tensor) -> Tensor:
        """Return log probabilities."""
        scores = scores_of(self.source, logits, self.objective, [0])
        log_beta = self.get_buffer("log_beta").expand(scores.shape[:-1]).flatten(1)
        log_probs = calibrated(scores.flatten(1, -2), log_beta, mix=self.mix)
        log_probs = log_probs.view(scores.shape)[0]
        found: Tensor = self.constants(log_probs.double().log_softmax(-1))
        return found


class MemberGraph(nn.Module):
    """One member of a classifier: from columns to log probabilities, ``(N, C)``, ``(N, L, 2)``."""

    def __init__(
        self, member: Member, network: TableNetwork, inputs: GraphInputs, facts: ClassFacts
    ) -> None:
        super().__init__()
        columns = member.encoding.columns
        self.network = network
        self.register_buffer("weights", member.weights)
        self.heads = Heads((get(member.readout.spec.base).head,))
        self.readout = ReadoutGraph(member, facts, member.weights.dtype)
        self._place_numbers(columns, inputs)
        places = {one.name: place for place, one in enumerate(inputs.categories)}
        own = [column for column in columns if isinstance(column, CategoryColumn)]
        self.code_places = tuple(places[column.name] for column in own)
        for number, column in enumerate(own):
            every = inputs.categories[places[column.name]]
            known = {level: code for code, level in enumerate(column.levels, start=1)}
            last = column.cardinality - 1 if column.missing else 0
            table = [0, *(known.get(level, 0) for level in every.levels), last]
            self.register_buffer(f"codes_{number}", torch.tensor(table))

    def _place_numbers(self, columns: Sequence[Column], inputs: GraphInputs) -> None:
        """Store the source of each standardised number, and its scaling."""
        numeric = [one for one in columns if isinstance(one, NumericColumn)]
        dates = [one for one in columns if isinstance(one, DateColumn)]
        self.dates = tuple(inputs.dates.index(one.name) for one in dates)
        self.layout = tuple(
            (place, tuple(part for part, _ in one.parts)) for place, one in enumerate(dates)
        )
        place_of = {name: place for place, name in enumerate(inputs.numbers)}
        places = [place_of[one.name] for one in numeric]
        self.register_buffer("number_places", torch.tensor(places, dtype=torch.int64))
        # The graph has all numbers before all dates; the network has the order of the columns.
        keys = [(one.name, "") for one in numeric]
        keys += [(one.name, part) for one in dates for part, _ in one.parts]
        wanted, scales = [], []
        for one in columns:
            if isinstance(one, NumericColumn):
                wanted.append((one.name, ""))
                scales.append(one.scale)
            elif isinstance(one, DateColumn):
                wanted += [(one.name, part) for part, _ in one.parts]
                scales += [scale for _, scale in one.parts]
        place_of_key = {key: place for place, key in enumerate(keys)}
        order = torch.tensor([place_of_key[key] for key in wanted], dtype=torch.int64)
        self.register_buffer("order", order)
        # As tensors, because other programs may read constants as float32.
        double = torch.float64
        self.register_buffer("center", torch.tensor([one.center for one in scales], dtype=double))
        self.register_buffer("spread", torch.tensor([one.spread for one in scales], dtype=double))
        self.register_buffer("turn", torch.tensor(2.0 * math.pi, dtype=double))

    def forward(self, numbers: Tensor, codes: Tensor, seconds: Tensor) -> Tensor:
        """Return log probabilities."""
        none = numbers[:, :0]
        parts = (
            self._numeric(numbers, seconds),
            self._categories(codes),
            none.int(),
            none.float(),
        )
        shared = TableInputs(*(part.unsqueeze(0) for part in parts))
        weights = self.network.layout.views(self.get_buffer("weights").unsqueeze(0))
        logits = self.network.body(weights, self.network.encode(shared), heads=self.heads)
        found: Tensor = self.readout(logits)
        return found

    def _numeric(self, numbers: Tensor, seconds: Tensor) -> Tensor:
        """Return standardised numbers, ``(N, F)``, NaN if missing."""
        found = [numbers.index_select(1, self.get_buffer("number_places"))]
        parts = [_date_parts(seconds[:, place], self.get_buffer("turn")) for place in self.dates]
        for place, names in self.layout:
            found += [parts[place][name].unsqueeze(1) for name in names]
        raw = torch.cat(found, 1).index_select(1, self.get_buffer("order"))
        return _scaled(raw, self.get_buffer("center"), self.get_buffer("spread"))

    def _categories(self, codes: Tensor) -> Tensor:
        """Return the codes in the encoding of this member, ``(N, Q)``."""
        found = []
        for number, place in enumerate(self.code_places):
            table = self.get_buffer(f"codes_{number}")
            found.append(table[codes[:, place].clamp(0, len(table) - 1)])
        return torch.stack(found, -1) if found else codes[:, :0]


def _scaled(numbers: Tensor, center: Tensor, spread: Tensor) -> Tensor:
    """Return numbers scaled like `Scale`, as float32, NaN where a number is not finite."""
    # Other programs may lose a NaN between two bounds.
    missing = numbers.isnan() | numbers.isinf()
    present = torch.where(missing, center, numbers)
    scaled = ((present - center) / spread).clamp(-1e6, 1e6)
    clipped = (scaled / torch.sqrt(1.0 + (scaled / 3.0) ** 2)).float()
    return torch.where(missing, torch.nan, clipped)


def _date_parts(seconds: Tensor, full_turn: Tensor) -> dict[str, Tensor]:
    """Return the parts of moments, like `autoloss.data.dates.date_parts`.

    The month is that of the proleptic Gregorian calendar, counted in years from March and cycles
    of 400 years (Hinnant 2013, Chrono-Compatible Low-Level Date Algorithms, civil_from_days).
    """
    days = torch.where(seconds.abs() <= _FARTHEST, seconds, torch.nan).floor() / _DAY
    missing = days.isnan()
    whole = days.floor()
    # float64 holds all of these whole numbers; other programs may divide integers as float32.
    day = torch.where(missing, 0.0, whole) + 719_468.0
    in_era = _remainder(day, 146_097)
    leaps = _quotient(in_era, 1_460) - _quotient(in_era, 36_524) + _quotient(in_era, 146_096)
    year = _quotient(in_era - leaps, 365)
    in_year = in_era - (365.0 * year + _quotient(year, 4) - _quotient(year, 100))
    from_march = _quotient(5.0 * in_year + 2.0, 153)
    month = torch.where(from_march < 10.0, from_march + 2.0, from_march - 10.0)
    # 1 March of the year 0 was a Wednesday.
    turns = {"month": month / 12.0, "weekday": _remainder(day + 2.0, 7) / 7.0}
    parts = {"days": days}
    for name, turn in {**turns, "time": days - whole}.items():
        angle = full_turn * torch.where(missing, torch.nan, turn)
        parts[f"{name}.sin"] = angle.sin().round(decimals=DIGITS)
        parts[f"{name}.cos"] = angle.cos().round(decimals=DIGITS)
    return parts


def _quotient(numbers: Tensor, by: int) -> Tensor:
    """Return whole numbers divided and rounded down."""
    return (numbers / by).floor()


def _remainder(numbers: Tensor, by: int) -> Tensor:
    """Return the remainder of whole numbers."""
    return numbers - by * _quotient(numbers, by)
