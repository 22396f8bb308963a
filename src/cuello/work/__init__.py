"""Whole tasks: train and resume, repeats, evaluation of one run or several."""
