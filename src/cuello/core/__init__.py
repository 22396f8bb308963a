"""What everything else is written in."""
