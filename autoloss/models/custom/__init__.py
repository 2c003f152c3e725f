"""Custom networks: reading, checking, stacking and saving them.

Imports the same floors as `models`.
"""
