"""Notebooks: a percent-format source each, the .ipynb made from it, and what runs them headless."""
