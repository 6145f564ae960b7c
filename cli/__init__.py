"""The command line: parse, call auditor, render, map errors to exit codes."""
