"""Verbs of the command line that drive the simulators."""
