"""Read-only forensic triage: images and extractions in, graded leads and a report a court can rely on out."""

__version__ = "0.1.0"
