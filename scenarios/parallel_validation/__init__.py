"""Validation beside training (document 003): ways to run it, and whether they give what sequential validation gives."""
