"""The commands, a file each: parse the arguments, call the library and show the result."""
