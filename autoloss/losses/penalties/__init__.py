"""The penalties, one file each; every file here is found by `autoloss.losses.components`."""
