"""Read-outs: from logits to probabilities, fitted on held-out rows and chosen by cross-fitting.

Floor 2. Imports from floor 1, and from losses.
"""

from autoloss.readout.crossfit import fold_numbers
from autoloss.readout.fit import refined_log_loss
from autoloss.readout.predictions import Predictions, Source
from autoloss.readout.readouts import Readout, Readouts, fit_readouts
from autoloss.readout.temperature import fit_temperature

__all__ = [
    "Predictions",
    "Readout",
    "Readouts",
    "Source",
    "fit_readouts",
    "fit_temperature",
    "fold_numbers",
    "refined_log_loss",
]
