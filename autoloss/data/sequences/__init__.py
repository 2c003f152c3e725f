"""Sequences: reading of tokens with their tags and features, and their encoding."""
