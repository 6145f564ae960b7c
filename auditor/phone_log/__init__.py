"""The telephone system's records: what they say, and which call each of them is."""
