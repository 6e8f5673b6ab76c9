"""The pool: who stands by, and pushing work to them."""
