"""Lines and rules → outcomes, findings and evidence."""
