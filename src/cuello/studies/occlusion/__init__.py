"""Source 3: a supernova classifier's occlusion maps, made exactly and estimated in one pass."""
