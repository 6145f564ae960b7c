"""Batch audit of telephone claims billed as CPT 98968, and of 98966 and 98967 on request."""

from importlib.metadata import version

__version__ = version("audit98968")
