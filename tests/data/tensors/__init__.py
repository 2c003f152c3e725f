"""Tensors of a user's own."""
