"""Tensors of a program."""
