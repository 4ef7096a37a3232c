"""A small seller's server that speaks both versions of the SaaS interface, for the demo and the tests."""

from orders.example_seller.server import ExampleSeller, Failure, RecordedCall

DEMO_KEY = "5f2b0c7e9a1d4863b7e0f4a29c8d1e36"

__all__ = ["DEMO_KEY", "ExampleSeller", "Failure", "RecordedCall"]
