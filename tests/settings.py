"""The site's settings for a test run: the same, with its data in a temporary folder and cheap passwords.

Django's settings are a module, so the folder is made on import and removed when the interpreter ends.
"""

import atexit
import os
import shutil
import tempfile

_folder = tempfile.mkdtemp(prefix="crowdsite-tests-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ["CROWDSITE_DATA_DIR"] = _folder

from crowdsite.settings import *  # noqa: E402, F403
from crowdsite.settings import DATABASES, THROTTLES  # noqa: E402

# The live server speaks HTTP alone. What serves sockets too says so itself.
CROWDSITE_SOCKETS = None

# Tests ask oftener than anybody may; those of the throttles set their own.
CROWDSITE_THROTTLES = dict.fromkeys(THROTTLES, "0")

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if not os.environ.get("DATABASE_URL"):
    # A file, not memory: threads with connections of their own need the locks of a real SQLite database.
    DATABASES["default"]["TEST"] = {"NAME": f"{_folder}/test.sqlite3"}
    DATABASES["default"]["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
