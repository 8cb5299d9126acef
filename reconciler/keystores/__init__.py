"""Live keystores: reading them, splitting and joining their containers, and the one door that every write passes."""
