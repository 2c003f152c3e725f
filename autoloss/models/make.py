"""The networks of several encodings of the same data, with weights of the same shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoloss.core.errors import InputError
from autoloss.core.settings import NO_AUGMENT, AugmentConfig, NetworkConfig
from autoloss.data import ImageSchema, SequenceSchema, TableSchema, TensorSchema, TokenTensorSchema
from autoloss.models.custom.of_images import OwnImageNetwork
from autoloss.models.custom.of_rows import OwnNetwork, dense_width
from autoloss.models.custom.of_tensors import OwnTensorNetwork
from autoloss.models.custom.of_token_tensors import OwnTokenTensorNetwork
from autoloss.models.custom.of_tokens import OwnTokenNetwork
from autoloss.models.custom.own import OwnModel
from autoloss.models.image import ImageNetwork
from autoloss.models.input_shape import InputShape
from autoloss.models.network import Network
from autoloss.models.table import TableNetwork
from autoloss.models.tokens import TokenNetwork

NO_NETWORK = (
    "model must be a custom network for a Dataset, a DataLoader or tensors, but got 'auto':"
    " give a function of (example, n_outputs) or a module; for a matrix of numbers give a"
    " DataFrame."
)


def networks_for(
    schemas: Sequence[Any],
    n_classes: int,
    config: NetworkConfig,
    model: OwnModel | None = None,
    *,
    augment: AugmentConfig = NO_AUGMENT,
) -> tuple[Network, ...]:
    """Return a network for each of several encodings, with weights of one shape.

    Args:
        schemas: The encodings.
        n_classes: C.
        config: Settings of the built-in network.
        model: A custom network in its place.
        augment: How images are changed in training.
    """
    if images := [schema for schema in schemas if isinstance(schema, ImageSchema)]:
        if model is not None:
            return tuple(OwnImageNetwork(one, n_classes, model, augment=augment) for one in images)
        return tuple(ImageNetwork(one, n_classes, config, augment=augment) for one in images)
    if sequences := [schema for schema in schemas if isinstance(schema, TokenTensorSchema)]:
        if model is None:
            raise InputError(NO_NETWORK)
        return tuple(OwnTokenTensorNetwork(one, n_classes, model) for one in sequences)
    if tensors := [schema for schema in schemas if isinstance(schema, TensorSchema)]:
        if model is None:
            raise InputError(NO_NETWORK)
        return tuple(OwnTensorNetwork(one, n_classes, model) for one in tensors)
    tokens = [schema for schema in schemas if isinstance(schema, SequenceSchema)]
    if tokens:
        widest = SequenceSchema(
            max(schema.n_codes for schema in tokens), max(schema.width for schema in tokens)
        )
        if model is not None:
            return tuple(OwnTokenNetwork(one, n_classes, model, shape=widest) for one in tokens)
        return tuple(TokenNetwork(one, n_classes, config, shape=widest) for one in tokens)
    return _of_tables(
        [one for one in schemas if isinstance(one, TableSchema)], n_classes, config, model
    )


def has_numbers(schemas: Sequence[Any], model: OwnModel | None = None) -> bool:
    """Return whether the network of each encoding embeds numbers of a table.

    Args:
        schemas: The encodings.
        model: A custom network, which embeds none.
    """
    tables = [schema for schema in schemas if isinstance(schema, TableSchema)]
    return model is None and len(tables) == len(schemas) and all(one.n_numeric for one in tables)


def _of_tables(
    schemas: Sequence[TableSchema], n_classes: int, config: NetworkConfig, model: OwnModel | None
) -> tuple[Network, ...]:
    """Return a network for each of several encodings of a table."""
    if model is not None:
        width = max(dense_width(schema) for schema in schemas)
        return tuple(OwnNetwork(schema, n_classes, model, width=width) for schema in schemas)
    plain = [TableNetwork(schema, n_classes, config) for schema in schemas]
    shape = InputShape.covering([network.shape for network in plain])
    return tuple(network.shaped(shape) for network in plain)
