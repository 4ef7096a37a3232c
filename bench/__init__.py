"""`make bench`: measured speed beside its target, one table. Parts register themselves in `bench.parts`."""
