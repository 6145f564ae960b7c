"""Finished runs read again: compared, and explained claim by claim."""
