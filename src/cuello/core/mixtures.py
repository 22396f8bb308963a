"""Names of degradations that belong together: light, as lists that only name them need no library."""

MIXTURES = {
    "real-x2": "blur:0..1+down:2+gaussian:0..10+jpeg:60..95",
    "real-x4": "blur:0..2+down:4+gaussian:0..10+jpeg:60..95",
}
"""Names of compositions that belong together: small images as cameras and the web give them. A lens slightly out of
focus (up to half a pixel of the small image), fewer pixels, noise, and a JPEG file with colour at half resolution."""
