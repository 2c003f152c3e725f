"""Teachers: predictions for the training rows that candidates learn from besides the labels."""
