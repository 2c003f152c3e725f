"""The shipped model: encoding, network and read-out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from autoloss.core.display import Card, Shown
from autoloss.core.errors import InputError
from autoloss.core.settings import NetworkConfig
from autoloss.core.task import Task
from autoloss.data.costs import Costs, cost_array
from autoloss.data.encoding import Inputs
from autoloss.data.input_kinds import kind_of_encoding
from autoloss.inference.deciding import decided_labels
from autoloss.inference.entrance import Table, encoded_rows
from autoloss.inference.member import Member, encodings_of
from autoloss.inference.ood import RECALL, StrangerRule, ood_score, threshold_of
from autoloss.inference.saving import StoredNetwork, write_model
from autoloss.inference.scoring import raw_scores
from autoloss.losses import ClassFacts
from autoloss.metrics import balanced_scores, cost_decisions, label_decisions
from autoloss.metrics.decoding import allowed_tags
from autoloss.models import Network, OwnModel, networks_for
from autoloss.models.custom.shipped import shapes_of
from autoloss.readout import mean_log_probs
from autoloss.records import loss_label

Decision = Literal["error", "balanced_error", "expected_cost"]


@dataclass(frozen=True, eq=False, repr=False)
class Classifier(Shown):
    """A trained classifier: the mean of the calibrated probabilities of its members.

    The members are training runs of the same loss, or of the losses of a blend, on fresh seeds and
    divisions of the rows. Each has its own read-out, which calibrates it. A temperature calibrates
    their mean as a whole.

    Args:
        task: The kind of label and its classes.
        config: The built-in network.
        members: The training runs, one or more.
        decision: The quantity that `predict` minimises: the error (the likeliest class), the
            balanced error (the class whose probability is highest relative to its share of the
            training rows) or the expected cost.
        cost_matrix: Cost of each decision (column) for each true class (row), for the expected
            cost; None if none was given.
        class_weights: Class weights of the training; None if none were given.
        class_similarity: Similarity of the classes; None if none was given.
        thresholds: For several labels, the probability above which each is decided for; None for a
            half.
        labels_each: The number of labels that each row is given, the likeliest; 0 for no fixed
            number.
        model: The custom network; None for the built-in network.
        temperature: The temperature of the mean; 1 leaves it as it is.
        strangers: The OOD score; None for none.

    Shape:
        - class_weights: ``(C,)``; of several labels ``(L, 2)``
        - thresholds: ``(L,)``
        - cost_matrix and class_similarity: ``(C, C)``
    """

    task: Task
    config: NetworkConfig
    members: tuple[Member, ...]
    decision: Decision = "error"
    cost_matrix: Tensor | None = None
    class_weights: Tensor | None = None
    class_similarity: Tensor | None = None
    thresholds: Tensor | None = None
    labels_each: int = 0
    model: OwnModel | None = None
    temperature: float = 1.0
    strangers: StrangerRule | None = None

    def _card(self) -> Card:
        first = self.members[0]
        columns = sum(not kind.startswith("left out") for _, kind in first.encoding.kinds)
        trained = "member" if len(self.members) == 1 else "members"
        outputs = self.task.outputs
        classes = list(map(str, outputs[:5]))
        more = [f"{len(outputs) - 5} more"] if len(outputs) > 5 else []
        network = "built in" if self.model is None else self.model.name
        pairs = (
            ("target", f"{self.task.target} ({self.task.kind}: {', '.join([*classes, *more])})"),
            ("loss", loss_label(first.readout.spec.to_dict())),
            ("network", f"{network}, the mean of {len(self.members)} {trained}"),
            ("columns", str(columns)),
            ("decides by", self.decision.replace("_", " ")),
        )
        return Card("Classifier", pairs)

    @property
    def classes(self) -> NDArray[Any]:
        """Return the classes, or the names of several labels, in the order of `predict_proba`."""
        return np.array(self.task.names) if self.task.names else self.task.labels

    @property
    def class_counts(self) -> Tensor:
        """Return the training rows of each class, the mean over the members.

        Shape:
            ``(C,)``; of several labels the rows without and with each, ``(L, 2)``.
        """
        return torch.stack([member.class_counts.double() for member in self.members]).mean(0)

    @property
    def log_shares(self) -> Tensor | None:
        """Return the logarithm of each member's share in the mean; None if all are equal, (R,)."""
        weights = [member.weight for member in self.members]
        if len(set(weights)) == 1:
            return None
        return torch.tensor(weights, dtype=torch.float64).log().log_softmax(0)

    @cached_property
    def networks(self) -> tuple[Network, ...]:
        """Return the network of every member; all have the same shape."""
        schemas = [member.encoding.schema for member in self.members]
        return networks_for(schemas, self.task.n_outputs, self.config, self.model)

    @property
    def encodings(self) -> tuple[Any, ...]:
        """Return the distinct encodings; members may share them."""
        return encodings_of(self.members)

    @property
    def own_code(self) -> str:
        """Return the name of custom code that predictions need; empty for none."""
        if self.model is not None:
            return self.model.name
        encoding = self.members[0].encoding
        return kind_of_encoding(encoding).own_code(encoding)

    def logits(self, data: Table, *, force: bool = False) -> Tensor:
        """Return the raw scores of every member, ``(R, N, C)``; see `predict_proba`."""
        rows = self.by_member(encoded_rows(self.encodings, data, force=force))
        found = [self.member_logits(place, one) for place, one in enumerate(rows)]
        return torch.stack(found).float()

    def by_member(self, encoded: Sequence[Inputs]) -> list[Inputs]:
        """Return the rows for every member, from the rows of each distinct encoding."""
        own = dict(zip(map(id, self.encodings), encoded, strict=True))
        return [own[id(member.encoding)] for member in self.members]

    def member_logits(self, number: int, inputs: Inputs) -> Tensor:
        """Return the raw scores of a member for its encoded rows, float64, ``(N, C)``.

        For the tokens of sequences they are ``(1, T, C)``.
        """
        own = self.members[number]
        is_sequence = self.task.kind == "sequence"
        network = self.networks[number]
        return raw_scores(network, own.weights, own.readout.spec, inputs, of_tokens=is_sequence)

    def encoded_log_probs(self, rows: Sequence[Inputs], *, raw: bool = False) -> Tensor:
        """Return the mean of the members as log probabilities of encoded rows, float64.

        Args:
            rows: The encoded rows of every member.
            raw: Whether to use the softmax of the logits instead of read-outs and temperature.

        Shape:
            ``(N, C)``; of several labels ``(N, L, 2)``; of tokens ``(1, T, C)``.
        """
        return self.mean(self.member_log_probs(rows, raw=raw), raw=raw)

    def member_log_probs(self, rows: Sequence[Inputs], *, raw: bool = False) -> Iterator[Tensor]:
        """Yield the log probabilities of encoded rows by each member, float64; see `read`."""
        logits = (self.member_logits(number, inputs) for number, inputs in enumerate(rows))
        return self.read(logits, raw=raw)

    def read(self, logits: Iterable[Tensor], *, raw: bool = False) -> Iterator[Tensor]:
        """Yield the log probabilities that each member reads from its raw scores, float64.

        A label of several that all training rows of a member have, or none, has their share as
        its probability.

        Args:
            logits: The raw scores of every member, as of `member_logits`.
            raw: Whether to use the softmax of the logits instead of the read-outs.

        Shape:
            each ``(N, C)``; of several labels ``(N, L, 2)``; of tokens ``(1, T, C)``.
        """
        for member, own in zip(self.members, logits, strict=True):
            facts = self.facts(member)
            seen = facts.over_classes(own) if raw else member.readout.log_probs(own, facts)
            yield facts.with_constants(seen.double().log_softmax(-1))

    def mean(self, log_probs: Iterable[Tensor], *, raw: bool = False) -> Tensor:
        """Return the calibrated mean of the members' probabilities as log probabilities.

        Args:
            log_probs: Log probabilities of every member, one after the other.
            raw: Whether to leave out the temperature of the mean.

        Shape:
            log_probs R times ``(..., C)`` → ``(..., C)``.
        """
        temperature = 1.0 if raw else self.temperature
        mean = mean_log_probs(log_probs, log_shares=self.log_shares, temperature=temperature)
        return ClassFacts(self.class_counts, task=self.task.kind).with_constants(mean)

    def predict_proba(self, data: Table, *, force: bool = False) -> Any:
        """Return calibrated probabilities, of sequences a list of an array for each.

        Args:
            data: Rows with the columns that the model was trained on; others are ignored.
            force: Whether to predict even if a column that varied in training is unusable in more
                than half of the rows: it holds words instead of numbers or dates, or levels that
                training never had.

        Returns:
            A row for each example, a column for each class in the order of `classes`; rows sum to
            1. Of several labels, the probability of each. Of sequences, a row for each token.

        Raises:
            InputError: A column is missing, or a column that mattered is unusable in most rows.

        Warns:
            UnusableCellsWarning: Some cells cannot be used and count as missing.

        Shape:
            - output: ``(N, C)``; of several labels ``(N, L)``; of sequences N times ``(T_n, C)``
        """
        rows = encoded_rows(self.encodings, data, force=force)
        probs = self.shown_probs(self.encoded_log_probs(self.by_member(rows)))
        return self.by_sequence(probs, rows[0]) if self.task.kind == "sequence" else probs

    def ood_scores(
        self, data: Table, *, score: str | None = None, force: bool = False
    ) -> NDArray[np.float64]:
        """Return the OOD score of each row, higher for OOD rows, ``(N,)``.

        Args:
            data: Rows as for `predict_proba`.
            score: ``"max_probability"``, ``"entropy"``, ``"energy"`` or ``"max_logit"``, with
                ``@T`` for a temperature; None for the model's own. See
                `autoloss.metrics.ood`; `autoloss diagnose --ood` shows which suits.
            force: As for `predict_proba`.

        Raises:
            InputError: The score is unknown, or a row has several labels or is a sequence.
        """
        found = ood_score(self.task, self.strangers, score)
        weights = [member.weight for member in self.members]
        return found(self.logits(data, force=force), weights=weights).numpy()

    def are_strangers(
        self, data: Table, *, score: str | None = None, recall: float = RECALL, force: bool = False
    ) -> NDArray[np.bool_]:
        """Return which rows score above nearly all in-distribution rows, ``(N,)``.

        Args:
            data: Rows as for `predict_proba`.
            score: As for `ood_scores`.
            recall: The share of in-distribution rows that is accepted.
            force: As for `predict_proba`.

        Raises:
            InputError: As of `ood_scores`, or the model has no scores of in-distribution rows.
        """
        found = ood_score(self.task, self.strangers, score)
        limit = threshold_of(self.strangers, found, recall)
        return self.ood_scores(data, score=str(found), force=force) > limit

    def by_sequence(self, values: NDArray[Any], inputs: Any) -> list[NDArray[Any]]:
        """Return the values of the tokens ``(T, ...)`` of each sequence, N arrays."""
        return np.split(values, np.cumsum(inputs.lengths.numpy())[:-1])

    def shown_probs(self, log_probs: Tensor) -> NDArray[np.float64]:
        """Return probabilities as `predict_proba` shows them, for several labels of yes.

        Shape:
            ``(N, C)`` → ``(N, C)``; of several labels ``(N, L, 2)`` → ``(N, L)``; of the tokens of
            sequences ``(1, T, C)`` → ``(T, C)``.
        """
        if self.task.kind == "sequence":
            log_probs = log_probs[0]
        shown = log_probs[..., 1] if self.task.names else log_probs
        return shown.exp().numpy()

    def facts(self, member: Member) -> ClassFacts:
        """Return the facts of the classes that the loss of a member knew."""
        return ClassFacts(
            member.class_counts,
            task=self.task.kind,
            weights=self.class_weights,
            similarity=self.class_similarity,
            names=self.task.tags,
            constrained=self.task.constrained,
        )

    def predict(self, data: Table, *, force: bool = False) -> Any:
        """Return the label of each row by the decision for the metric of the search, ``(N,)``.

        Labels are texts where the costs allow ``reject``. Of several labels, 1 for each that a
        row has, else 0, ``(N, L)``. Of sequences, a list of the tags of each.
        """
        probs = self.predict_proba(data, force=force)
        if self.task.kind == "sequence":
            return [self.classes[self.decisions(own)] for own in probs]
        decided = self.decisions(probs)
        return decided if self.task.names else decided_labels(self.task, decided, self.cost_matrix)

    def decisions(self, probs: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the code of each row's decision from its probabilities.

        Shape:
            ``(N, C)`` → ``(N,)``; of several labels ``(N, L)`` → ``(N, L)``.
        """
        scores = torch.from_numpy(probs)
        if self.task.constrained:
            # The tokens of a single sequence.
            return allowed_tags(scores.log().numpy(), np.arange(len(probs)) > 0, self.task.tags)
        if self.labels_each:
            likeliest = scores.argsort(dim=-1, descending=True, stable=True)[:, : self.labels_each]
            chosen: NDArray[np.int64] = (
                torch.zeros(scores.shape, dtype=torch.int64).scatter(-1, likeliest, 1).numpy()
            )
            return chosen
        if self.thresholds is not None:
            above: NDArray[np.int64] = label_decisions(scores, self.thresholds).long().numpy()
            return above
        if self.task.names:
            scores = torch.stack([1.0 - scores, scores], -1)
        if self.decision == "expected_cost" and self.cost_matrix is not None:
            cheapest: NDArray[np.int64] = cost_decisions(scores, self.cost_matrix).numpy()
            return cheapest
        if self.decision == "balanced_error":
            counts = self.class_counts
            scores = balanced_scores(scores.log(), counts.sum(0) if counts.ndim > 1 else counts)
        codes: NDArray[np.int64] = scores.argmax(-1).numpy()
        return codes

    def decide(
        self, data: Table, cost_matrix: Costs | ArrayLike, *, force: bool = False
    ) -> NDArray[Any]:
        """Return the label of least expected cost for each row.

        Args:
            data: Rows, as in `predict_proba`.
            cost_matrix: Cost of each decision (column) for each true class (row), in any unit: a
                table or file that names the classes, as in `autoloss.search`, or numbers in the
                order of `classes`.
            force: As in `predict_proba`.

        Raises:
            InputError: The matrix has the wrong shape, or numbers that are not finite.

        Shape:
            - cost_matrix: ``(C, C)``, with the decision for no class ``(C, C + 1)``
            - output: ``(N,)``
        """
        if self.task.names or self.task.kind == "sequence":
            several = "several" if self.task.names else "a tag for each token"
            raise InputError(f"decide must be for one label per row, but the model has {several}.")
        costs = torch.from_numpy(cost_array(cost_matrix, self.task))
        probs = torch.from_numpy(self.predict_proba(data, force=force))
        return decided_labels(self.task, cost_decisions(probs, costs).numpy(), costs)

    def save(self, folder: str | Path) -> Path:
        """Write the model as ``weights.safetensors`` and ``config.json``; return the folder.

        ``input_example.json`` beside them has made-up rows to try the model with; see
        `autoloss.inference.inputs.example_of`.
        """
        network: NetworkConfig | StoredNetwork = self.config
        if self.model is not None:
            # The files hold no code.
            network = StoredNetwork(self.model.name, shapes_of(self.networks[0]))
        knowledge = {
            "cost_matrix": self.cost_matrix,
            "class_weights": self.class_weights,
            "class_similarity": self.class_similarity,
            "thresholds": self.thresholds,
        }
        return write_model(
            Path(folder),
            self.members,
            task=self.task,
            network=network,
            decision=self.decision,
            temperature=self.temperature,
            labels_each=self.labels_each,
            strangers=self.strangers,
            knowledge={name: one for name, one in knowledge.items() if one is not None},
        )
