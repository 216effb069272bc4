"""Serving simulated request by request: clients, services, gateway, engine replicas, GPUs."""
