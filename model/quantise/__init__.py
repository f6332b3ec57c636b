"""From a float network to integers: calibration, scales, export, and a report of the loss."""
