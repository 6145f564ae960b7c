"""Whether the exports can be trusted: coverage, gaps, relationships, placeholders, units, shrinkage."""
