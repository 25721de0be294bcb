"""How bytes and entries of evidence are reached. Nothing in here can write to evidence: no type has a method for it."""
