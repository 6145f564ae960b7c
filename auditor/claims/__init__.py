"""Calls and claims → billed lines with minutes, and what the exports cover."""
