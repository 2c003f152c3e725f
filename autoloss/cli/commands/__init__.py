"""One command a file: each parses its words, calls the library and shows what it returns."""
