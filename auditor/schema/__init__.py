"""The canonical columns, vocabularies and code lists."""
