"""Other people's sites: a Django site that is not ours installs the wheel and mounts the apps.

`site/` is that site, with a user model, an admin and pages of its own. It is copied out of the tree and run by the
Python of an environment of its own, in which the wheel is installed and `crowdsite` is not. `make hosts` does it with
every Python and the oldest and newest packages (see `matrix.py`).
"""
