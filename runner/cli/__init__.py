"""The `likeness` command: one file for each command group, one output object for people and for programs."""
