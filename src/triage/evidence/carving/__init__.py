"""Pictures and videos found by their own structure in bytes that no file system lays claim to."""
