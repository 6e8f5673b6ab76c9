"""The hot transitions as PostgreSQL runs them: one statement each, equal to claims.py and lifecycle.py under the same
tests. What a statement cannot do it leaves undone, and says so; then the portable way is gone, which also explains.
"""
