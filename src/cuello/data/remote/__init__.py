"""Images on other machines, by URL: fetched into a cache that is checked, and results put there."""
