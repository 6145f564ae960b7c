"""Calls and claims → billed lines with minutes."""
