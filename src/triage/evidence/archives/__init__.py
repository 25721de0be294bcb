"""Archives inside evidence: their members as entries, in the order in which they are stored, always bounded."""
