"""The command line: parse, call, render."""

from cuello.cli.app import main

__all__ = ["main"]
