"""Synthetic exports with a planted, known answer (`sample`)."""
