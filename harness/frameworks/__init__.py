"""Adapters: each runs one trial in one framework and writes its history."""
