"""The loader of stored MLflow models, which refer to this module by name.

Floor 9. Imports from floors 1 to 8.
"""

from autoloss.inference.pyfunc import *  # noqa: F403
from autoloss.inference.pyfunc import _load_pyfunc

__all__ = ["_load_pyfunc"]
