"""The site's settings, whatever may differ between two sites from the environment.

A value that cannot be read is not a traceback here: it is collected in CROWDSITE_ENVIRONMENT_ERRORS and
refused by the system checks of crowdsite/checks.py.
"""

from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF
from environs import Env, EnvValidationError, validate

from crowdsite import environment
from pavilion.conf import MARKETPLACES
from queues.conf import THROTTLES

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env(eager=False)
env.add_parser("database", environment.database)
env.add_parser("redis", environment.redis)
env.add_parser("sockets", environment.sockets)
env.add_parser("rate", environment.rate)

DATA_DIR = Path(env.str("CROWDSITE_DATA_DIR", default="") or BASE_DIR / "var").absolute()
DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
DATABASE_URL = env.str("DATABASE_URL", default="")
REDIS_URL = env.redis("REDIS_URL", default="")
EMBEDDED = not REDIS_URL

# Who may ask, and how it is kept secret.
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY_IS_SET = bool(env.str("SECRET_KEY", default=""))
SECRET_KEY = env.str("SECRET_KEY", default="") or environment.kept_secret(DATA_DIR / "secret_key")
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# HTTPS=1: everything is served over HTTPS. TRUST_PROXY=1: a proxy in front sets X-Forwarded-Proto.
HTTPS = env.bool("HTTPS", default=False)
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^courierz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
TRUST_PROXY = env.bool("TRUST_PROXY", default=False)
if TRUST_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        # Tasks carry pictures as data URIs, and so do the icons of the API's pages; others are on servers elsewhere.
        "img-src": [SELF, "data:", *env.list("IMAGE_SOURCES", default=["https:"])],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

INSTALLED_APPS = [
    "crowdsite.apps.CrowdsiteConfig",
    "routing.apps.RoutingConfig",
    "pavilion.apps.PavilionConfig",
    "assignments.apps.AssignmentsConfig",
    "queues.apps.QueuesConfig",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "crowdsite.requestids.middleware",
    "django.middleware.security.SecurityMiddleware",
    "crowdsite.policy.ContentPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "crowdsite.unfit.UnfitMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "crowdsite.urls"
ASGI_APPLICATION = "crowdsite.asgi.application"
WSGI_APPLICATION = "crowdsite.wsgi.application"

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
    },
]

# A pool of connections belongs to a long-lived server process; `serve` makes those of its own, and a server
# that is started in another way has one with CROWDSITE_DB_POOL.
DATABASES: dict[str, Any] = {
    "default": env.database(
        "DATABASE_URL",
        default=f"sqlite:///{DATA_DIR / 'crowdsite.sqlite3'}",
        pool_size=env.int("CROWDSITE_DB_POOL", default=0),
    )
    or {"ENGINE": "django.db.backends.dummy"}
}
# What is asked most is prepared once a connection, which a pooler must let through (PgBouncer does from 1.21 on).
CROWDSITE_PREPARE_STATEMENTS = env.bool("CROWDSITE_PREPARE_STATEMENTS", default=True)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "crowd-desk"
LOGOUT_REDIRECT_URL = "home"

FILE_UPLOAD_HANDLERS = [
    "crowdsite.uploads.Bounded",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

LANGUAGE_CODE = "en"
# The languages of our own texts. With a second one, django.middleware.locale.LocaleMiddleware goes behind the sessions;
# with one it would look for the browser's in each request, and find the same.
LANGUAGES = [("en", "English")]
USE_I18N = True
TIME_ZONE = "UTC"
USE_TZ = True

# Static files are served from where the apps keep them: there is nothing to collect before the first start.
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "queues.api.authentication.BearerAuthentication",
        "queues.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["queues.api.parsers.StrictJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "queues.api.pagination.Pages",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "queues.api.problems.exception_handler",
    "DATETIME_FORMAT": "iso-8601",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    # The errors of a list name the items that have them; the other form is on its way out.
    "LIST_SERIALIZER_ERRORS_AS_DICT": True,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Crowdsite",
    "DESCRIPTION": "Human work handed to people, and their answers brought back.",
    "VERSION": "1",
    # Operations are grouped by the word after it.
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "TaskStatus": "queues.states.TaskStatus",
        "AssignmentStatus": "assignments.states.AssignmentStatus",
        "DeliveryStatus": "queues.states.DeliveryStatus",
        "SessionStatus": "pavilion.states.SessionStatus",
        "SeatStatus": "pavilion.states.SeatStatus",
        "PaymentStatus": "pavilion.states.PaymentStatus",
        "RunStatus": "routing.states.RunStatus",
        "StepStatus": "routing.states.StepStatus",
        "StepKind": "routing.states.StepKind",
    },
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

CHANNEL_LAYERS: dict[str, Any] = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
if REDIS_URL:
    CHANNEL_LAYERS["default"] = {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        # The layer blocks for 5 s, which is also redis-py's own time limit: without None idle consumers die.
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": None, "socket_connect_timeout": 2}]},
    }

# Pages keep numbers for some seconds, each process its own. What is counted for all of them is where all reach it; and
# where that is away nobody may wait for it.
CACHES: dict[str, Any] = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
CACHES["throttles"] = {**CACHES["default"], "LOCATION": "throttles", "OPTIONS": {"MAX_ENTRIES": 20_000}}
if REDIS_URL:
    CACHES["throttles"] = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_timeout": 0.2, "socket_connect_timeout": 0.2},
    }

# A message only wakes work: what there is to do stands in the database, and the next tick finds it too.
CELERY_BROKER_URL = REDIS_URL or "memory://"
if not REDIS_URL:
    # How often the embedded worker looks for messages, in seconds.
    CELERY_BROKER_TRANSPORT_OPTIONS = {"polling_interval": 0.1}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    # A tick that nobody took within its own period is dropped, so a worker that was away is not flooded.
    job: {"task": job, "schedule": seconds, "options": {"expires": seconds}}
    for job, seconds in {
        "queues.jobs.release_scheduled": 1.0,
        "queues.jobs.expire_tasks": 1.0,
        "queues.jobs.drain_archived": 1.0,
        "assignments.jobs.expire_assignments": 1.0,
        "queues.jobs.run_batches": 1.0,
        "pavilion.jobs.sweep": 1.0,
        "pavilion.jobs.release": 1.0,
        "pavilion.jobs.hire": 1.0,
        "pavilion.jobs.pay": 5.0,
        "pavilion.jobs.tell": 5.0,
        "pavilion.jobs.poll": 5.0,
        "pavilion.jobs.reconcile": 60.0,
        "pavilion.jobs.follow": 60.0,
        "routing.jobs.cancel_tasks": 5.0,
        "routing.jobs.roll_up_visits": 15.0,
        "routing.jobs.catch_up": 60.0,
        "routing.jobs.purge_moves": 3600.0,
        "assignments.jobs.keep_census": 1.0,
        "assignments.jobs.roll_up_metrics": 15.0,
        "queues.jobs.give_up_deliveries": 60.0,
        "queues.jobs.tell_owners": 60.0,
        "queues.jobs.purge_feed": 60.0,
        "queues.jobs.purge_deliveries": 60.0,
        "queues.jobs.purge_idempotency": 3600.0,
        "queues.jobs.purge_batches": 3600.0,
    }.items()
}

# Lines for people, or an object a line for machines; and whether each request leaves one.
CROWDSITE_LOG_FORMAT: str = env.str("CROWDSITE_LOG_FORMAT", default="line", validate=validate.OneOf(["line", "json"]))
CROWDSITE_LOG_FORMAT = CROWDSITE_LOG_FORMAT or "line"
CROWDSITE_ACCESS_LOG = env.bool("CROWDSITE_ACCESS_LOG", default=CROWDSITE_LOG_FORMAT == "json")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "console": {"()": "crowdsite.jsonlogs.Json" if CROWDSITE_LOG_FORMAT == "json" else "crowdsite.logs.Line"}
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "console"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "crowdsite": {"level": "INFO"},
        # A warning for each 4xx, which are the caller's faults and fill the log.
        "django.request": {"level": "ERROR"},
        # A warning that memory:// names no host, at each start.
        "kombu.connection": {"level": "ERROR"},
    },
}

# Where the servers listen; `serve` reads these.
HOST = env.str("CROWDSITE_HOST", default="127.0.0.1")
PORT = env.int("PORT", default=8000)
WS_PORT = env.int("WS_PORT", default=None) or (PORT or 0) + 1
WEB_WORKERS = env.int("WEB_WORKERS", default=2)
WEB_THREADS = env.int("WEB_THREADS", default=4)
LOAD_DEMO = env.bool("DEMO", default=True)

# Without a broker `serve` is one process; with one it is web servers, a courier and others.
CROWDSITE_PROCESSES = 1 if EMBEDDED else WEB_WORKERS + 2

# Where browsers reach the sockets: "" where they reach the pages, of one server or of a proxy in front of two.
CROWDSITE_SOCKETS: str | None = env.sockets("WS_URL", default="" if EMBEDDED or HTTPS or TRUST_PROXY else f":{WS_PORT}")
CONTENT_SECURITY_POLICY["DIRECTIVES"]["connect-src"] = [
    SELF,
    *environment.socket_sources(CROWDSITE_SOCKETS or "", ALLOWED_HOSTS),
]

# Letters, which go to owners of endpoints that were switched off, and to operators of pools that have open places.
# Without a server they are printed.
EMAIL_HOST = env.str("EMAIL_HOST", default="")
EMAIL_PORT = env.int("EMAIL_PORT", default=25)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = 10
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend"
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="crowdsite@localhost")

# Who brings this to /metrics is told the numbers of the site. Without it operators alone are.
CROWDSITE_METRICS_TOKEN = env.str("CROWDSITE_METRICS_TOKEN", default="")

# What the apps ask a host for.
CROWDSITE_USER_EMAIL_FIELD = env.str("CROWDSITE_USER_EMAIL_FIELD", default="email")
CROWDSITE_ENCRYPTION_KEYS: list[str] = env.list("CROWDSITE_ENCRYPTION_KEYS", default=[])
ENCRYPTION_KEYS_ARE_SET = bool(CROWDSITE_ENCRYPTION_KEYS)
if not ENCRYPTION_KEYS_ARE_SET:
    CROWDSITE_ENCRYPTION_KEYS = [environment.kept_secret(DATA_DIR / "encryption_key", environment.encryption_key)]
CROWDSITE_WEBHOOK_SECONDS = env.float("CROWDSITE_WEBHOOK_SECONDS", default=5)
CROWDSITE_WEBHOOK_PORTS: list[int] = env.list("CROWDSITE_WEBHOOK_PORTS", subcast=int, default=[443])
# For development: webhooks to this machine itself, by http too. The demo has it.
CROWDSITE_WEBHOOKS_LOOPBACK = env.bool(
    "CROWDSITE_WEBHOOKS_LOOPBACK", default=EMBEDDED and LOAD_DEMO and not DATABASE_URL
)
# How often one may ask, such as 3000/m; 0 or empty: without a limit.
CROWDSITE_THROTTLES: dict[str, str] = {
    name: env.rate(f"CROWDSITE_THROTTLE_{name.upper()}", default=rate) or "" for name, rate in THROTTLES.items()
}
CROWDSITE_SOCKETS_PER_USER = env.int("CROWDSITE_SOCKETS_PER_USER", default=20)
CROWDSITE_EVENTS_KEPT_DAYS = env.int("CROWDSITE_EVENTS_KEPT_DAYS", default=90)
CROWDSITE_DELIVERIES_KEPT_DAYS = env.int("CROWDSITE_DELIVERIES_KEPT_DAYS", default=30)
# Where people reach the site: links in offers and letters begin with it.
CROWDSITE_URL = env.str("CROWDSITE_URL", default="") or environment.local_url(HOST, PORT)
CROWDSITE_MARKETPLACES: dict[str, str] = env.dict("CROWDSITE_MARKETPLACES", default=MARKETPLACES)
CROWDSITE_MARKETPLACE_OPTIONS: Any = env.json("CROWDSITE_MARKETPLACE_OPTIONS", default={})

CROWDSITE_ENVIRONMENT_ERRORS: Any = {}
try:
    env.seal()
except EnvValidationError as problem:
    CROWDSITE_ENVIRONMENT_ERRORS = problem.error_messages
