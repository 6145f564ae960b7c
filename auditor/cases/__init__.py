"""The case ledger: every finding, what became of it from run to run, and what people decided."""
