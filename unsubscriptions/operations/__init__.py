"""Every change of requests and payouts."""
