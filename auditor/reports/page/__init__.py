"""report.html: one file that asks nothing of the network."""
