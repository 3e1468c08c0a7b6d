"""What a notebook holds: models by identifier, and everything that a run left behind."""
