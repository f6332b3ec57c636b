"""The driver through PYNQ's own classes: on a board, from a PC, and without any hardware."""
