"""The noise of real images: its model, its estimate, and the transform that makes it even."""
