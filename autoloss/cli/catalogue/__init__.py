"""The catalogue that ``autoloss losses`` shows: its entries, their tables and drawings."""
