"""Everything that tells one job from another: a folder a family, and the table of them."""
