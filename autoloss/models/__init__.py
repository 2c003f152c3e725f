"""Networks whose weights carry a leading K axis."""

from autoloss.models.layout import Layout
from autoloss.models.table import Dropout, Features, TableNetwork, spread

__all__ = ["Dropout", "Features", "Layout", "TableNetwork", "spread"]
