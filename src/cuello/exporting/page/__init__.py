"""One HTML file that works without a network: the model, what runs it, and a page to use it with."""
