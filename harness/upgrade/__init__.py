"""Is an upgrade safe? Two environments compared."""
