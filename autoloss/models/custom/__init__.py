"""Networks of the user's own: read, checked, stacked, saved.

Imports what `models` may import.
"""
