"""``python -m cuello`` is the command ``cuello``."""

from cuello.cli import main

main()
