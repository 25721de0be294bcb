"""Lists of digests of known files, and what their publishers say about each."""
