"""What happens to a ticket; other apps open tickets by `opening.file` and end them by `handling.resolve`."""
