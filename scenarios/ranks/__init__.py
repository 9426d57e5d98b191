"""Figures of an epoch that several ranks share, in every way that Lightning has, on every way to share it."""
