"""The shipped model: probabilities, decisions, its files and its signature.

Floor 5. Imports from floors 1 to 4.
"""
