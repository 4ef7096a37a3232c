"""Pure rules of service supervision: when an appeal is possible, what a decision does, how clocks run."""
