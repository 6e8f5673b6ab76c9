"""The views of routing's API: each checks shape and permission, makes one call, and renders."""
