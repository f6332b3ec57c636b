"""The compiled inner loop of a DRAM channel: plain arrays, integers and numba."""
