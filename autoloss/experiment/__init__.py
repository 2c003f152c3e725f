"""One search from request to conclusion.

Floor 7. Imports from floors 1 to 6.
"""
