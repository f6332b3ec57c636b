"""Training: losses, optimiser, schedule, checkpoints, logs."""
