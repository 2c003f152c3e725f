"""The parts of a model that every export needs: networks, and the decision rule."""

from __future__ import annotations

from typing import Any

from autoloss.core.errors import InputError
from autoloss.inference.classifier import Classifier
from autoloss.models import TableNetwork, TokenNetwork


def table_networks(classifier: Classifier, form: str) -> tuple[TableNetwork, ...]:
    """Return the networks of all members of a model of tables.

    Args:
        classifier: The model.
        form: The form of export, for messages.

    Raises:
        InputError: If the model has a custom network or custom features.
    """
    check_built_in(classifier, form)
    return tuple(one for one in classifier.networks if isinstance(one, TableNetwork))


def token_networks(classifier: Classifier, form: str) -> tuple[TokenNetwork, ...]:
    """Return the networks of all members of a model of sequences; see `table_networks`."""
    check_built_in(classifier, form)
    return tuple(one for one in classifier.networks if isinstance(one, TokenNetwork))


def check_built_in(classifier: Classifier, form: str) -> None:
    """Check that a model has the built-in network, because no form contains the user's code.

    Raises:
        InputError: If the model has a custom network or custom features.
    """
    if classifier.model is not None:
        raise InputError(
            f"--to {form} must be asked for a model of autoloss's own network, but this model has"
            " a custom network: export that by its own code, and take the loss and read-out"
            " from loss.py."
        )
    if classifier.own_code and form == "mlflow":
        raise InputError(
            f"--to {form} must be asked for a model without custom code, but this model reads"
            f" the vectors of {classifier.own_code}, and no export contains code."
        )


def decision_of(classifier: Classifier) -> dict[str, Any]:
    """Return the decision rule and its parameters, for JSON."""
    rule: dict[str, Any] = {"decision": classifier.decision}
    counts = classifier.class_counts
    if classifier.task.names:
        counts = counts.sum(0)
    if classifier.labels_each:
        rule["rule"] = f"the likeliest labels, {classifier.labels_each} of each row"
        rule["labels_each"] = classifier.labels_each
    elif classifier.thresholds is not None:
        rule["rule"] = "each label whose probability is above its threshold"
        rule["thresholds"] = classifier.thresholds.tolist()
    elif classifier.decision == "expected_cost" and classifier.cost_matrix is not None:
        rule["rule"] = "the class whose cost, expected over the probabilities, is least"
        rule["cost_matrix"] = classifier.cost_matrix.tolist()
    elif classifier.decision == "balanced_error":
        rule["rule"] = "the class whose probability is highest relative to its share in training"
        rule["class_counts"] = counts.tolist()
    else:
        rule["rule"] = "each label that is likelier than not"
        if not classifier.task.names:
            of_tokens = classifier.task.kind == "sequence"
            rule["rule"] = "the likeliest tag" if of_tokens else "the likeliest class"
    return rule
