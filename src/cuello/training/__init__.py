"""One training: the loop and what it takes."""
