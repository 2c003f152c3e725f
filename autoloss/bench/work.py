"""The least work of a training step: its matrix products and its memory traffic."""

from __future__ import annotations

import itertools

from autoloss.bench.problem import Setting

FLOAT = 4


def widths(setting: Setting) -> list[int]:
    """Return the widths of the layers: inputs, hidden layers, classes."""
    network = setting.network
    hidden = [network.config.width] * network.config.depth
    return [network.encoded_width, *hidden, network.n_classes]


def products(setting: Setting) -> float:
    """Return the operations of a step's matrix products, in FLOP.

    Each layer has a product in the forward pass, a product for the gradient of its weights and,
    except in the first layer, a product for the gradient of its inputs.
    """
    sizes = widths(setting)
    layers = [a * b for a, b in itertools.pairwise(sizes)]
    each = 3 * sum(layers) - layers[0]
    return 2.0 * len(setting.candidates) * setting.job.config.batch_size * each


def moved(setting: Setting) -> float:
    """Return the bytes that a step moves with all possible passes fused and without caches.

    - A weight is read forward and backward, its gradient written and read; the optimiser reads and
      writes it and its two moments: 10 numbers.
    - A hidden unit of an example is written with ReLU and dropout in one pass, read by the next
      layer, and backward read by the product for the next layer's weights and as mask; its
      gradient is written once and read by two products: 7 numbers.
    - A logit is written and read, its gradient written and read twice: 5 numbers.
    - Inputs are read forward and backward, once for all candidates.
    """
    network, n_candidates = setting.network, len(setting.candidates)
    rows = setting.job.config.batch_size
    hidden = network.config.depth * network.config.width
    own = 10 * network.layout.size + rows * (7 * hidden + 5 * network.n_classes)
    return float(FLOAT * (n_candidates * own + 2 * rows * network.encoded_width))
