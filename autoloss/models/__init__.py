"""Networks whose weights carry a leading K axis."""

from autoloss.models.heads import CosineHead, Heads, apply_heads
from autoloss.models.layout import Layout
from autoloss.models.table import Dropout, Features, InputShape, TableNetwork, spread

__all__ = [
    "CosineHead",
    "Dropout",
    "Features",
    "Heads",
    "InputShape",
    "Layout",
    "TableNetwork",
    "apply_heads",
    "spread",
]
