"""The commands, and the composition root that builds everything from the configuration."""
