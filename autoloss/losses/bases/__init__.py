"""The base losses, one file each; every file here is found by `autoloss.losses.registry`."""
