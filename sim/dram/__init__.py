"""Command-level DRAM channels driven by readable timing tables."""
