"""Trained runs side by side: what each is, what it reached, what it costs; only like is put beside like.

from cuello.comparison import compare

comparison = compare(["runs/first", "runs/second"])
"""

from cuello.comparison.collect import Comparison, compare
from cuello.comparison.facts import RunFacts, gap, run_values
from cuello.comparison.groups import Group, Row, RowDifference

__all__ = ["Comparison", "Group", "Row", "RowDifference", "RunFacts", "compare", "gap", "run_values"]
