"""Who does it: reviewers, the assignments they hold under a lease, and the claim that hands tasks out."""
