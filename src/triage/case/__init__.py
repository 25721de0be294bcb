"""The case folder: one SQLite store, its manifest and its custody log. All output is a function of it."""
