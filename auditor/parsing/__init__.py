"""A chunk's columns → typed values, and rejects with reasons."""
