"""Plain pieces that every folder may use: errors, tasks, settings, clock, files and devices.

Floor 1. Imports no other folder.
"""
