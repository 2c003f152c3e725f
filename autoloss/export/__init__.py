"""A model for other programs: ONNX, a torch program, or Python code without autoloss."""

from autoloss.export.write import FORMS, check_path, export

__all__ = ["FORMS", "check_path", "export"]
