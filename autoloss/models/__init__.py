"""Networks whose weights carry a leading K axis.

Floor 3. Imports from floors 1 to 2.
"""

from autoloss.models.custom.of_rows import OwnNetwork
from autoloss.models.custom.of_tensors import OwnTensorNetwork
from autoloss.models.custom.of_tokens import OwnTokenNetwork
from autoloss.models.custom.own import OwnModel
from autoloss.models.custom.stack import ModuleNetwork
from autoloss.models.heads import CosineHead, Heads, apply_heads
from autoloss.models.image import ImageNetwork
from autoloss.models.input_shape import InputShape
from autoloss.models.layers import LEVELS, DropoutRates
from autoloss.models.layout import Layout
from autoloss.models.make import has_numbers, networks_for
from autoloss.models.network import (
    Draws,
    Features,
    Network,
    StepInputs,
    StepOutputs,
    joined_orders,
)
from autoloss.models.table import TableNetwork, spread
from autoloss.models.tokens import TokenNetwork

__all__ = [
    "LEVELS",
    "CosineHead",
    "Draws",
    "DropoutRates",
    "Features",
    "Heads",
    "ImageNetwork",
    "InputShape",
    "Layout",
    "ModuleNetwork",
    "Network",
    "OwnModel",
    "OwnNetwork",
    "OwnTensorNetwork",
    "OwnTokenNetwork",
    "StepInputs",
    "StepOutputs",
    "TableNetwork",
    "TokenNetwork",
    "apply_heads",
    "has_numbers",
    "joined_orders",
    "networks_for",
    "spread",
]
