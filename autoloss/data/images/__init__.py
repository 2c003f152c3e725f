"""Images: reading them from folders, files and tables, decoding them once, encoding them."""
