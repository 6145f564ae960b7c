"""Which rows can matter for some claim: predicate push-down before rows are kept."""
