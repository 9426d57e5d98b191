"""What of a trial is different in another environment: two histories of it, compared observable by observable."""
