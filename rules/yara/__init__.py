"""Bundled YARA rules."""
