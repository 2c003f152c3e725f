"""Compares, selects and tests models, as functions of plain values.

Floor 5. Imports from floors 1 to 4, and from report.
"""
