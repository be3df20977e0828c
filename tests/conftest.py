"""For all tests: a slow or busy machine is no failure of a property."""

from hypothesis import settings

settings.register_profile("serialfix", deadline=None)
settings.load_profile("serialfix")
