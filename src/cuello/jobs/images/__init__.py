"""The jobs whose target is an image: denoise, upscale, reconstruct, generate."""
