"""Learning to denoise from noisy images alone: each method is a row of ``catalog.METHODS``."""
