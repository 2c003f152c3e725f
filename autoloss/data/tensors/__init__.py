"""Data in memory: the tensors of a data set, a loader or batches, and their encoding."""
