"""Source 1: small convolutional denoisers of 64x64 colour crops, compared, and on ever stronger noise."""
