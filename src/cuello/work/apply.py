"""Files restored, with bars where somebody looks."""

from cuello.inference.files import apply as restore_files
from cuello.training.watched import watched

apply = watched()(restore_files)
