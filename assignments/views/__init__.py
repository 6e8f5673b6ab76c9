"""Pages for reviewers: the desk, the workbench, what one did, one's numbers."""
