"""Bundled plugins, one file each. What a plugin is: ``README.md`` in this folder, and `triage.api`."""
