"""Which models can be exported: the one place where the kind of a network is asked."""

from __future__ import annotations

from autoloss.core.errors import InputError
from autoloss.inference.classifier import Classifier
from autoloss.models import TableNetwork


def table_networks(classifier: Classifier, form: str) -> tuple[TableNetwork, ...]:
    """Return the networks of all members.

    Args:
        classifier: The model.
        form: The format that is asked for.

    Raises:
        InputError: They are not the network for tables.
    """
    found = classifier.networks
    networks = tuple(network for network in found if isinstance(network, TableNetwork))
    if len(networks) < len(found):
        raise InputError(
            f"--to {form} must be asked for a model of autoloss's own network for tables, but this"
            " model has a network of your own: export that by its own code, and take the loss and"
            " read-out from loss.py."
        )
    return networks
