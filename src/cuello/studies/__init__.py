"""Source systems redone."""
