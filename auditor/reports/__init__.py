"""Writers: an audit's result to a file or a stream, no logic."""
