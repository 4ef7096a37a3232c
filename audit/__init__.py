"""Floor 2: what was done, by whom, from where; kept unchanged and provably so (spec: audit.md)."""
