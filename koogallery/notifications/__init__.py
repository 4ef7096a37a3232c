"""Floor 3: messages to people, in the message centre, by e-mail and by SMS (spec: identity.md, Messages)."""
