"""Noise taken off images by what the images themselves tell of it: no clean image, no settings."""
