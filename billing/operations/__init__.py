"""Every change of what is owed and paid."""
