"""Benchmarks of the harness itself: each prints ratios from one interleaved run, never a bare time."""
