"""Autoencoders as encoder, bottleneck and decoder, for images of one size."""
