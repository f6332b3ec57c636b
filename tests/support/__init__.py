"""Builders shared by the tests of all folders."""
