"""A router in front of several databases (``specs/005-scale-out``)."""
