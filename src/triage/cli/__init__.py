"""The command line. The only part of the suite that knows a terminal."""
