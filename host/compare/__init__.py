"""Results of all machines side by side, each figure with its evidence and its source."""
