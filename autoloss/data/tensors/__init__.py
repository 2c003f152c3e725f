"""Tensors of a user's own: what a data set, a loader or batches hold, and their encoding."""
