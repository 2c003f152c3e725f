"""The faults of an existing model, and of the loss that trained it, from its predictions alone.

This file imports nothing, so that it loads without torch.

Floor 6. Imports from floors 1 to 5.
"""
