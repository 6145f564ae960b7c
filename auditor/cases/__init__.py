"""The case ledger: every finding ever seen, what became of it night after night, and what people decided."""
