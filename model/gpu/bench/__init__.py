"""The GPU benchmark: one layer and the whole encoder against the best that torch offers."""
