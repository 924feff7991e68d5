"""Workflows: loaded, converted, changed, validated, and compared with what a place can run."""
