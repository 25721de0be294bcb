"""Bundled rules as data; importable as ``triage_rules`` so that a wheel carries them."""
