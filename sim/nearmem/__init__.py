"""Processing units beside or inside DRAM: command-level streams and the tables made from them."""
