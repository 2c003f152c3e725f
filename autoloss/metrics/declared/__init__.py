"""The metrics that a user can choose, one file each; `autoloss.metrics.known` finds every file.

No file imports torch or numpy at its top: the report and the command line read the declarations.
"""
