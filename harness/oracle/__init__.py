"""Ground truth: what an epoch's figure must be, in float64, without any framework's metric code."""
