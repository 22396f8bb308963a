"""Networks, and their names."""
