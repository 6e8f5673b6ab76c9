"""The shapes of things on the wire."""
