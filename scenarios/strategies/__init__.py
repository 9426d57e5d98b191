"""Ways to aggregate over an epoch, side by side on one network, and what their cost is measured against."""
