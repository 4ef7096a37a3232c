"""The demo: accounts, a catalogue, ninety days of history; all made through operations. Composition root (floor 9)."""
