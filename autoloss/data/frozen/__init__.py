"""Frozen features: vectors of images or texts by a network that is not trained."""
