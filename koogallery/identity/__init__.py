"""Floor 1: accounts, sign-in, identity policies, enterprise projects, tags, agreements."""
