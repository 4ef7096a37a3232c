"""What is owed and paid: price arithmetic, ledger, bills, invoices, settlement."""
