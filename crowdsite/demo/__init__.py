"""The demo: a queue of real handwritten digits, a pool of people who stand by for it, and how they sign in."""
