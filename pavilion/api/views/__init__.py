"""The views of the pool's API: each checks shape and permission, makes one call, and renders."""
