"""A model for other programs: ONNX, a torch program, or Python code without autoloss."""

from autoloss.export.write import FORMS, export

__all__ = ["FORMS", "export"]
