"""The driver of the accelerator, the same in simulation and on a board."""
