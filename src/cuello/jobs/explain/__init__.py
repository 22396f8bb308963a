"""The job whose target is a classifier's occlusion map."""
