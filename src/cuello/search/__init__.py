"""Searching for settings: many trainings, every one a run directory, and which are the best.

from cuello.search import search

found = search("reconstruct", "glyphs", space={"learning_rate": [1e-3, 1e-2], "optimizer": ["sgd", "adam"]})
"""

from cuello.search.overs import parse_overs
from cuello.search.page import Found
from cuello.search.run import search
from cuello.search.trials import Trial

__all__ = ["Found", "Trial", "parse_overs", "search"]
