"""Plain pieces for every folder: errors, tasks, settings, clock, files and devices.

Floor 1. Imports no other folder.
"""
