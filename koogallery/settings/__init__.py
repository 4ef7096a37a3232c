"""Settings, each readable from top to bottom: `base`, then `local`, `test` or `production` over it."""
