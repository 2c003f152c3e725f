"""Read-outs: from logits to probabilities, fitted on held-out rows and chosen by cross-fitting.

Floor 2. Imports from floor 1, and from losses.
"""

from autoloss.readout.crossfit import fold_numbers
from autoloss.readout.fit import refined_log_loss
from autoloss.readout.items import Items
from autoloss.readout.predictions import Predictions, Source
from autoloss.readout.readouts import Readout, Readouts, fit_readouts
from autoloss.readout.temperature import fit_temperature
from autoloss.readout.whole import MeanTemperature, fit_mean_temperature, mean_log_probs

__all__ = [
    "Items",
    "MeanTemperature",
    "Predictions",
    "Readout",
    "Readouts",
    "Source",
    "fit_mean_temperature",
    "fit_readouts",
    "fit_temperature",
    "fold_numbers",
    "mean_log_probs",
    "refined_log_loss",
]
