"""Service tickets: what customers ask of operations, and the demands of visitors."""
