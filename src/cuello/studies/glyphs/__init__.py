"""The study `glyphs`: 32 characters through two numbers, noise on them, and emoji drawn from a distribution."""
