"""The study `super-resolution`: sharp images of blurred ones, and why some networks hardly learn it."""
