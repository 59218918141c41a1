"""Django settings: one file, every value a person may change comes from the environment (docs/settings.md).

Two profiles. `development` (the default) serves this machine only, with embedded servers and a generated key.
`production` refuses to start with anything that was only meant for trying.
"""

import contextlib
import os
import secrets
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
import structlog
from celery.schedules import crontab
from csp.constants import NONCE, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

from segmentation_site.log_lines import hide_secrets

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
# What this checkout keeps to itself: keys, mail, uploads, locks.
VAR_DIR = Path(env.str("CUTLINE_VAR", default=str(BASE_DIR / "var")))

PROFILE = env.str("CUTLINE_PROFILE", default="development")
PRODUCTION = PROFILE == "production"
# Which kind of process this is: web, worker, command or tests. It decides time limits only.
PROCESS = env.str("CUTLINE_PROCESS", default="web")
DEBUG = env.bool("DEBUG", default=False)
# Set by `manage.py up`: the demo's people may have well-known passwords.
DEMO = env.bool("CUTLINE_DEMO", default=False)
DEMO_PASSWORD = env.str("CUTLINE_DEMO_PASSWORD", default="cutline-demo") if DEMO else ""


def _development_key() -> str:
    """A key of this checkout's own, made once, readable by its owner only, whole or not there."""
    path, new = VAR_DIR / "secret_key", VAR_DIR / f"secret_key.{os.getpid()}"
    if not path.exists():
        VAR_DIR.mkdir(exist_ok=True)
        new.touch(mode=0o600)
        new.write_text(secrets.token_urlsafe(64))
        with contextlib.suppress(FileExistsError):
            os.link(new, path)
        new.unlink()
    return path.read_text()


def _refusals() -> list[str]:
    """Why this installation may not run in production, in words."""
    key = env.str("SECRET_KEY", default="")
    hosts = env.list("ALLOWED_HOSTS", default=[])
    found = {
        "DEBUG is on.": DEBUG,
        "CUTLINE_DEMO is on: the demo's passwords are public.": DEMO,
        "SECRET_KEY must be set to at least 50 random characters.": len(key) < 50 or len(set(key)) < 10,
        "SECRET_KEY is a documented example.": "change-me" in key or "insecure" in key,
        "ALLOWED_HOSTS must name the hosts, without wildcards.": not hosts or any("*" in host for host in hosts),
        "DATABASE_URL must be set.": not env.str("DATABASE_URL", default=""),
        "REDIS_URL must be set.": not env.str("REDIS_URL", default=""),
        "SITE_URL must start with https://.": not env.str("SITE_URL", default="").startswith("https://"),
    }
    return [reason for reason, applies in found.items() if applies]


if PROFILE not in ("development", "production"):
    raise ImproperlyConfigured("CUTLINE_PROFILE must be development or production.")
if PRODUCTION and (_reasons := _refusals()):
    raise ImproperlyConfigured("Not fit for production. " + " ".join(_reasons))

SECRET_KEY = env.str("SECRET_KEY", default="") or _development_key()
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
SITE_URL = env.str("SITE_URL", default=f"http://127.0.0.1:{env.str('PORT', default='8000')}").rstrip("/")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[SITE_URL] if PRODUCTION else [])
COMPANY_NAME = env.str("COMPANY_NAME", default="")

ROOT_URLCONF = "segmentation_site.urls"
WSGI_APPLICATION = "segmentation_site.wsgi.application"
AUTH_USER_MODEL = "frameworks.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "segmentation_site.storage.StaticFilesConfig",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "django_filters",
    "django_tables2",
    "django_htmx",
    "crispy_forms",
    "crispy_bootstrap5",
    "csp",
    "django_celery_beat",
    "django_structlog",
    "frameworks",
    "accounts",
    "governance",
    "segmentation_site",
]
if not PRODUCTION and find_spec("django_migration_linter"):
    INSTALLED_APPS.append("django_migration_linter")

MIDDLEWARE = [
    "segmentation_site.middleware.RequestIdMiddleware",
    "segmentation_site.middleware.ProbeMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "segmentation_site.middleware.ContentSecurityPolicyMiddleware",
    "segmentation_site.middleware.SecureApiMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "segmentation_site.middleware.SessionLimitsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "segmentation_site.middleware.WrongMethodMiddleware",
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
                "csp.context_processors.nonce",
                "frameworks.navigation.navigation",
            ],
        },
    },
]
CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"
DJANGO_TABLES2_TEMPLATE = "components/table.html"

# Database. The application's role runs, the owner's role migrates; with one URL one role does both.

DATABASE_APPLICATION_ROLE = env.str("DATABASE_APPLICATION_ROLE", default="cutline_app")
_DATABASE_URL = env.str("DATABASE_URL", default="") or "postgres:///cutline"
if env.str("CUTLINE_DATABASE_ROLE", default="application") == "owner":
    _DATABASE_URL = env.str("DATABASE_OWNER_URL", default="") or _DATABASE_URL

# Milliseconds: statement, lock, idle in transaction. A person waits for the web; a chunk has 60 s in all;
# imports, benches and migrations take what they take, but no command may queue up behind a lock. A test's transaction
# stays open while Python lays out a document or thinks up an example.
_LIMITS = {
    "web": (15_000, 3_000, 30_000),
    "worker": (45_000, 3_000, 60_000),
    "command": (0, 3_000, 0),
    "tests": (60_000, 3_000, 0),
}
_statement, _lock, _idle = _LIMITS.get(PROCESS, _LIMITS["web"])
_SESSION = {
    "statement_timeout": _statement,
    "lock_timeout": _lock,
    "idle_in_transaction_session_timeout": _idle,
    "client_connection_check_interval": 2_000,
}
if PROCESS == "tests":
    # Tests commit thousands of tiny transactions; none of them tests a power cut through this connection.
    _SESSION["synchronous_commit"] = "off"  # type: ignore[assignment]

DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **env.db_url_config(_DATABASE_URL),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
        "DISABLE_SERVER_SIDE_CURSORS": env.bool("DATABASE_BEHIND_PGBOUNCER", default=False),
        "TEST": {"NAME": env.str("CUTLINE_TEST_DATABASE", default="test_cutline")},
    }
}
DATABASES["default"].setdefault("OPTIONS", {})["options"] = " ".join(
    f"-c {name}={value}" for name, value in _SESSION.items()
)

# Cache: login limits and other short-lived counts. Without Redis it misses; nobody is stopped by that.

REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "segmentation_site.cache.ForgivingRedisCache",
        "LOCATION": env.str("CACHE_URL", default="") or REDIS_URL,
        "KEY_PREFIX": "cache",
        "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5},
    }
}

# Celery: a message is a doorbell, the row in the database is the work. Measured together; reasons in
# docs/settings.md. No countdown or eta above 60 s anywhere: later work is a `run_after` column.

CELERY_BROKER_URL = REDIS_URL
CELERY_TIMEZONE = "UTC"
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_ACKS_ON_FAILURE_OR_TIMEOUT = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SOFT_TIME_LIMIT = 45
CELERY_TASK_TIME_LIMIT = 60
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONCURRENCY = env.int("WORKER_CONCURRENCY", default=2)
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 400_000  # KiB
CELERY_VISIBILITY_TIMEOUT = 300
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": CELERY_VISIBILITY_TIMEOUT,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 1,
    # A person waits for what the web process publishes, and the sweeper repairs what it could not.
    "socket_timeout": 5 if PROCESS == "worker" else 1,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "max_retries": 1,
}
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {"visibility_timeout": CELERY_VISIBILITY_TIMEOUT}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = env.float("WORKER_SOFT_SHUTDOWN_SECONDS", default=30.0)
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = env.bool("WORKER_SOFT_SHUTDOWN_ON_IDLE", default=True)
CELERY_BEAT_CRON_STARTING_DEADLINE = 3600
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"

# Separate queues, separate workers: bulk work cannot keep people waiting.
QUEUES = ("interactive", "bulk", "webhooks", "maintenance")
CELERY_TASK_DEFAULT_QUEUE = "interactive"
CELERY_TASK_ROUTES = {
    "accounts.evaluate_pending": {"queue": "interactive"},
    "accounts.work_run": {"queue": "bulk"},
    "accounts.apply_import": {"queue": "bulk"},
    "accounts.*": {"queue": "maintenance"},
    **{f"governance.tick_{queue}": {"queue": queue} for queue in QUEUES},
    "governance.deliver_*": {"queue": "webhooks"},
    "governance.*": {"queue": "maintenance"},
}
NOTIFICATION_KEEP_DAYS = env.int("NOTIFICATION_KEEP_DAYS", default=180)
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "sweep": {"task": "accounts.sweep", "schedule": timedelta(seconds=30), "options": {"expires": 60}},
    "nightly run": {"task": "accounts.nightly_run", "schedule": crontab(hour="0", minute="10")},
    "verify audit": {"task": "governance.verify_audit", "schedule": crontab(hour="2", minute="0")},
    "forget old answers": {"task": "governance.forget_old_answers", "schedule": crontab(hour="2", minute="20")},
    "forget old notices": {"task": "governance.forget_old_notices", "schedule": crontab(hour="2", minute="40")},
    "watch versions": {
        "task": "governance.watch_versions",
        "schedule": timedelta(seconds=60),
        "options": {"expires": 120},
    },
    "watch reviews": {
        "task": "governance.watch_reviews",
        "schedule": timedelta(seconds=60),
        "options": {"expires": 120},
    },
    "watch notices": {
        "task": "governance.watch_notices",
        "schedule": timedelta(seconds=120),
        "options": {"expires": 120},
    },
    # Mail whose doorbell was lost, and mail that is tried again.
    "deliver mail": {"task": "governance.deliver_mail", "schedule": timedelta(seconds=60), "options": {"expires": 60}},
    "look after documents": {
        "task": "governance.look_after_documents",
        "schedule": timedelta(seconds=30),
        "options": {"expires": 60},
    },
    "time out requests": {"task": "governance.time_out_requests", "schedule": crontab(minute="7")},
    **{
        # A worker that is alive but does not consume is found by the tick it does not answer.
        f"tick {queue}": {
            "task": "governance.tick",
            "schedule": timedelta(seconds=15),
            "args": [queue],
            "options": {"queue": queue, "expires": 60},
        }
        for queue in QUEUES
    },
}

# People: e-mail and password, second factor, sessions of 12 h idle and 7 days at most.

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "segmentation_site.passwords.CompanyWordsValidator"},
]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"
ACCOUNT_ADAPTER = "segmentation_site.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # administrators make the logins; nobody signs up
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = True  # the limits below hold for everyone
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = urlsplit(SITE_URL).scheme
ACCOUNT_RATE_LIMITS = {"login": "60/m/ip", "login_failed": "60/15m/ip,10/15m/key"}
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0)
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_TOTP_ISSUER = "Cutline"
MFA_TOTP_TOLERANCE = 1  # a code more on either side: the clocks of phones differ
# Passkeys need https; on this machine, while trying, http://localhost is as good.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not PRODUCTION

SESSION_COOKIE_AGE = 12 * 3600
SESSION_ABSOLUTE_AGE = 7 * 24 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_SAMESITE = "Lax"

# Transport and browser rules

SECURE_SSL_REDIRECT = PRODUCTION
# The API answers plain HTTP with an error instead (SecureApiMiddleware): a redirect would hide that a token
# has already been sent in the clear.
SECURE_REDIRECT_EXEMPT = [r"^api/"]
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_HSTS_PRELOAD = PRODUCTION
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.int("TRUSTED_PROXY_COUNT", default=0) else None
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}
# The admin's own scripts evaluate expressions and its widgets carry inline styles; the API viewer has the styles.
CONTENT_SECURITY_POLICY_EXCEPTIONS: dict[str, dict[str, Any]] = {
    "/admin/": {"script-src": [SELF, UNSAFE_EVAL, NONCE], "style-src": [SELF, UNSAFE_INLINE]},
    "/api/docs/": {"style-src": [SELF, UNSAFE_INLINE]},
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 2**20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20
FILE_UPLOAD_PERMISSIONS = 0o600
IMPORT_MAX_ROWS = env.int("IMPORT_MAX_ROWS", default=1_000_000)
IMPORT_MAX_BYTES = env.int("IMPORT_MAX_BYTES", default=512 * 2**20)

# Language and time

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

# Files

MEDIA_ROOT = Path(env.str("MEDIA_ROOT", default=str(VAR_DIR / "media")))
# The end of the audit chain, outside the database; best on another machine's disk.
AUDIT_ANCHOR_FILE = env.path("AUDIT_ANCHOR_FILE", default=str(VAR_DIR / "audit-anchors.jsonl"))
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles" if PRODUCTION else VAR_DIR / "static")))
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # WhiteNoise warns at every start without it
_NODE_MODULES = BASE_DIR / "node_modules"
# What package.json names, under the prefix templates use. Nothing is vendored and nothing comes from a CDN.
_FRONT_END = {
    "vendor/tabler": "@tabler/core/dist",
    "vendor/tabler-icons": "@tabler/icons-webfont/dist",
    "vendor/inter": "@fontsource-variable/inter",
    "vendor/echarts": "echarts/dist",
    "vendor/tom-select": "tom-select/dist",
}
STATICFILES_DIRS = [
    (prefix, _NODE_MODULES / path) for prefix, path in _FRONT_END.items() if (_NODE_MODULES / path).is_dir()
]
_STATIC_BACKEND = (
    "segmentation_site.storage.ManifestStorage"
    if PRODUCTION
    else "django.contrib.staticfiles.storage.StaticFilesStorage"
)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _STATIC_BACKEND},
}
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_AUTOREFRESH = not PRODUCTION  # looked up when asked for: thousands of files need no scan at start

# Mail: to files under var/ unless EMAIL_URL says otherwise.

if env.str("EMAIL_URL", default=""):
    vars().update(env.email_url("EMAIL_URL"))
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = VAR_DIR / "mail"
EMAIL_TIMEOUT = 15  # seconds; a mail server that does not answer must not hold a worker up
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="cutline@localhost")

# REST

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["governance.api.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["governance.api.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_standardized_errors.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "governance.api.problems.exception_handler",
    "COERCE_DECIMAL_TO_STRING": True,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
KNOX_TOKEN_MODEL = "governance.ApiToken"  # noqa: S105 - a model's name
# Knox's migrations make its own token table even where another model takes its place.
MIGRATION_MODULES = {"knox": None}
REST_KNOX = {"TOKEN_TTL": timedelta(days=365), "TOKEN_PREFIX": "cut_", "AUTH_HEADER_PREFIX": "Bearer"}
SPECTACULAR_SETTINGS = {
    "TITLE": "Cutline",
    "DESCRIPTION": "Which account is in which segment, since when and why.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "ENUM_NAME_OVERRIDES": {"PartKindEnum": "frameworks.models.Kind"},
}

# Admin


def _shades(colours: str) -> dict[str, str]:
    """Unfold's names for eleven shades, from light to dark."""
    names = ("50", "100", "200", "300", "400", "500", "600", "700", "800", "900", "950")
    return dict(zip(names, colours.split(), strict=True))


# The workspace's petrol and greys (static/cutline/css/base.css), so that both faces are one product.
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Cutline",
    "SITE_HEADER": "Cutline",
    "SITE_SUBHEADER": "Administration",
    "SITE_URL": "/",
    "SITE_ICON": lambda request: static("cutline/logo.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("cutline/favicon.svg")}],
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "8px",
    "SIDEBAR": {"navigation": "governance.navigation.admin_sections"},
    "COLORS": {
        "primary": _shades("#eef7f9 #e4f1f4 #c5e2e9 #a3ccd6 #5aa3b6 #14738c #0b6179 #084c60 #0a3d4d #12323b #06222a"),
        "base": _shades("#f7f8f9 #f1f3f5 #e3e6ea #cbd1d8 #8d9aa6 #5b6773 #475462 #3a4751 #263038 #151b20 #0e1317"),
    },
}

# Logging: JSON lines on standard error, each with the request's or the task's id.

_SHARED_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_SHARED_PROCESSORS,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
                hide_secrets,
            ],
            "foreign_pre_chain": _SHARED_PROCESSORS,
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        # Says a line for each page of each PDF.
        "weasyprint.progress": {"level": "WARNING"},
        # They bring handlers of their own, which would print addresses as they are: all write through the root's.
        **{
            name: {"handlers": [], "propagate": True}
            for name in ("django", "django.server", "gunicorn.error", "gunicorn.access")
        },
    },
}
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True  # RequestIdMiddleware has made sure of it
