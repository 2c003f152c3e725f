"""Networks of the user's own: reading, checking, stacking and saving them.

Imports the same floors as `models`.
"""
