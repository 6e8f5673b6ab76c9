"""A site that places dogs. Which apps of Crowdsite it has, and where its data is, the tests say by the environment."""

import os
from pathlib import Path
from urllib.parse import urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent

CROWD_APPS = os.environ["KENNEL_APPS"].split(",")

SECRET_KEY = "of the kennel alone, and long enough for those who check such things"
ALLOWED_HOSTS = ["127.0.0.1"]
DEBUG = False

INSTALLED_APPS = [
    "people",
    "people.admin_config.BackOfficeConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    *CROWD_APPS,
    "rest_framework",
    "django_filters",
    "drf_spectacular",
]
if "routing" in CROWD_APPS:
    INSTALLED_APPS.append("pets")

AUTH_USER_MODEL = "people.Person"
AUTH_PASSWORD_VALIDATORS = []
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGIN_URL = "/enter/"
LOGIN_REDIRECT_URL = "/"

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "kennel.policy.content_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

ROOT_URLCONF = "kennel.urls"
ASGI_APPLICATION = "kennel.asgi.application"
USE_TZ = True
TIME_ZONE = "Europe/Lisbon"
STATIC_URL = "/files/"
STATIC_ROOT = BASE_DIR / "files"
# It names files after what is in them, and refuses those that lead to files that are not there.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "kennel.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
        },
    }
}
if postgresql := os.environ.get("KENNEL_POSTGRESQL"):
    address = urlsplit(postgresql)
    DATABASES["default"] = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": address.path.lstrip("/"),
        "USER": address.username,
        "HOST": address.hostname,
        "PORT": address.port,
        "OPTIONS": {"options": "-c jit=off -c plan_cache_mode=force_generic_plan"},
    }

CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
if redis := os.environ.get("KENNEL_REDIS"):
    CHANNEL_LAYERS["default"] = {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [{"address": redis, "socket_timeout": None}]},
    }

CROWDSITE_URL = os.environ.get("KENNEL_URL", "http://127.0.0.1")
CROWDSITE_SOCKETS = ""
CROWDSITE_ENCRYPTION_KEYS = ["a2VubmVsLWtlbm5lbC1rZW5uZWwta2VubmVsLWtlbm4="]
CROWDSITE_WEBHOOKS_LOOPBACK = True
