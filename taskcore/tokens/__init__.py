"""API tokens: secrets by which programs act for a user."""
