"""Settings for the whole suite."""

from hypothesis import settings

# A busy machine may stop a test for longer than any deadline that means something.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
