"""The demo: a queue of real handwritten digits, people to work on it, and how they sign in."""
