"""The networks of several encodings of one table, with weights of the same shapes."""

from __future__ import annotations

from collections.abc import Sequence

from autoloss.core.settings import NetworkConfig
from autoloss.data import TableSchema
from autoloss.models.custom.own import OwnModel
from autoloss.models.custom.stack import OwnNetwork, dense_width
from autoloss.models.network import Network
from autoloss.models.table import InputShape, TableNetwork


def networks_for(
    schemas: Sequence[TableSchema],
    n_classes: int,
    config: NetworkConfig,
    model: OwnModel | None = None,
) -> tuple[Network, ...]:
    """Return a network for each of several encodings of a table, with weights of one shape.

    Args:
        schemas: The encodings.
        n_classes: C.
        config: Settings of the built-in network.
        model: A network of the user's own in its place.
    """
    if model is not None:
        width = max(dense_width(schema) for schema in schemas)
        return tuple(OwnNetwork(schema, n_classes, model, width=width) for schema in schemas)
    plain = [TableNetwork(schema, n_classes, config) for schema in schemas]
    shape = InputShape.covering(plain)
    return tuple(network.shaped(shape) for network in plain)
