"""Frozen features: vectors of pictures or texts by a network that is not trained."""
