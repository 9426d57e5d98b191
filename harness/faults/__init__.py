"""What goes wrong in a trial: a fault is data, and a file per family says how it is done."""
