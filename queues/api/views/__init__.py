"""The API: each view checks shape and permission, makes one call, and renders."""
