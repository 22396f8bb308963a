"""Many tasks on the cores of this machine, or on other machines; what the tasks do is not known here."""
