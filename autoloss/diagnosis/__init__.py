"""What saved predictions say about a model and about the loss that trains it; nothing is trained.

Nothing is imported here: `autoloss.diagnosis.records` is read where torch must not be loaded.
"""
