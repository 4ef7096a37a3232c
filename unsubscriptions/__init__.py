"""How what was bought is given back: negotiated unsubscription, unsubscription of images, refunds (floor 8)."""
