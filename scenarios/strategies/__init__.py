"""Ways to aggregate over an epoch, side by side on one network."""
