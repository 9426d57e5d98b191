"""From a plan to histories: every trial in a process of its own."""
