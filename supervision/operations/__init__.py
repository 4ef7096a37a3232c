"""Episodes in the life of a service flow: every change is a function here, and locks the flow before its order."""
