"""A probability sample of the claims for review, and the estimate from it."""
