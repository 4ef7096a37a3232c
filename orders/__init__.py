"""What was bought: quotes, orders, resources, renewal, change, provisioning."""
