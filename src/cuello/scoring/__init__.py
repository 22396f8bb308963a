"""What a result is worth: metrics, losses, classical methods, intervals, protocols."""
