"""Writes a model for other programs: ONNX, torch, MLflow, or Python code without autoloss.

Floor 6. Imports from floors 1 to 5, and from tracking.
"""

from autoloss.export.write import FORMS, check_path, export

__all__ = ["FORMS", "check_path", "export"]
