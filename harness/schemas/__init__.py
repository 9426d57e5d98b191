"""JSON Schemas of everything a run directory holds."""
