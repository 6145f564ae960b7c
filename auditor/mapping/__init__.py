"""Foreign headers and words → a suggested policy (`init`)."""
