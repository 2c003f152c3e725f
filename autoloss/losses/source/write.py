"""A loss as Python code that needs torch alone."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from torch import Tensor

from autoloss.losses import context as contexts
from autoloss.losses import numerics
from autoloss.losses.part import Scored
from autoloss.losses.parts import KINDS, PENALTIES
from autoloss.losses.source import plain
from autoloss.losses.source.facts import SourceFacts
from autoloss.losses.source.gather import Gathered
from autoloss.losses.source.layout import fitted, paragraph, tensor
from autoloss.losses.source.readout import Readout
from autoloss.losses.source.rewrite import Rewriter
from autoloss.losses.spec import LossSpec
from autoloss.losses.tuned import Tuned
from autoloss.task import TaskKind

_IMPORTS = {
    "SimpleNamespace": "from types import SimpleNamespace",
    "Tensor": "from torch import Tensor",
    "functional": "from torch.nn import functional",
    "math": "import math",
    "nn": "from torch import nn",
    "torch": "import torch",
}
