"""The job whose target is a class."""
