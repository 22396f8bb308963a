"""What the source says. Pixels: 32 characters of 5×7, 1,120 in all. An epoch is one step on all characters."""

PIXELS = 1120
SYMMETRIC = "activation=tanh,code=tanh,output=tanh,centred=yes"
"""Guess: tanh after every layer, and so pixels as -1 and 1."""
CLASSIC, CLASSIC_EPOCHS, CLASSIC_RATE, CLASSIC_WRONG = f"mlp:35-20-2,{SYMMETRIC}", 19_300, 5e-4, 6
DENOISER, DENOISER_RATE = f"mlp:35-32-8-2,{SYMMETRIC}", 1e-3
NOISE_WRONG = {(3, 3): 98, (7, 7): 172, (7, 3): 165}
"""Wrong pixels after denoising, by pixels inverted in training and in testing."""
NOISE_EPOCHS = {3: 11_500, 7: 13_000}
EMOJI_WIDTHS = ("200-2", "200-100-2", "50-30-2", "150-50-15-2")
EMOJI_RATES = (0.1, 0.01, 0.001, 0.0001)
EMOJI_EPOCHS = 1000
EMOJI_CHOSEN = ("200-2", 0.01)
