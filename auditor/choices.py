"""Options that take one of a few words, for the command line and for policy files."""

from typing import Literal

Format = Literal["text", "jsonl", "csv", "json", "none"]
FailOn = Literal["violation", "review", "incomplete", "never"]
LogFormat = Literal["text", "json"]
