"""Is an upgrade safe? Two environments, the trials of both, and what differs."""
