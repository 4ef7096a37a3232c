"""Episodes in the life of an order and of what it delivers; every change of state is a function here."""
