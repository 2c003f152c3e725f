"""The commands: each file parses arguments, calls the library and shows the result."""
