"""What saved predictions say about a model and about the loss that trains it; nothing is trained.

Nothing is imported here: `autoloss.records.diagnosis` is read where torch must not be loaded.

Floor 6. Imports from floors 1 to 5.
"""
