"""What pages and results share."""
