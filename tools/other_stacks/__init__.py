"""Serving stacks other than the testbed: simulated request by request, seen as their own monitoring
would show them, written as cases. README.md says what is modelled."""
