"""What monitoring would have seen of a simulated window: machines, exporters, scrapes."""
