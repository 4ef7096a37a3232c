"""What every installation shares. `local`, `test` and `production` say where they differ."""

from __future__ import annotations

from pathlib import Path

from csp.constants import SELF
from django.utils.translation import gettext_lazy as _

from koogallery.admin_site.branding import UNFOLD as UNFOLD
from koogallery.settings import environment

ROOT = Path(__file__).resolve().parents[2]
DATA = (ROOT / environment.text("DATA", ".local")).resolve()

# --- What the project consists of -------------------------------------------------------------------------

# Lowest floor first; each may import what stands before it. See docs/architecture.md.
ROOMS = [
    "koogallery.kernel",
    "koogallery.identity",
    "audit",
    "koogallery.notifications",
    "koogallery.tickets",
    "billing",
    "catalog",
    "orders",
    "supervision",
    "unsubscriptions",
    "koogallery.demo",
]

INSTALLED_APPS = [
    "koogallery.engine",
    "koogallery.styleguide",
    *ROOMS,
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "koogallery.admin_site.apps.OperationsAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django.forms",
    "django_htmx",
    "template_partials",
    "lucide",
    "csp",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
]

MIDDLEWARE = [
    "koogallery.kernel.pagecache.PageCacheMiddleware",
    "koogallery.observability.middleware.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "koogallery.identity.middleware.PreferencesMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "koogallery.kernel.contentsecurity.ContentSecurityMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "koogallery.urls"
WSGI_APPLICATION = "koogallery.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "koogallery.kernel.context.frame",
            ],
            "builtins": [
                "django.templatetags.i18n",
                "django.templatetags.static",
                "koogallery.kernel.templatetags.design",
            ],
        },
    },
]

FORM_RENDERER = "koogallery.kernel.forms.DesignRenderer"

# --- Who signs in -----------------------------------------------------------------------------------------

AUTH_USER_MODEL = "identity.User"
AUTHENTICATION_BACKENDS = ["koogallery.identity.sign_in.AccountBackend"]
OTP_TOTP_ISSUER = "KooGallery"

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_RESET_TIMEOUT = 4 * 3600
LOGIN_URL = "/sign-in/"
LOGIN_REDIRECT_URL = "/"

# Kept in Redis for speed and in PostgreSQL for good: an emptied Redis signs nobody out.
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"

# --- Catalogue -------------------------------------------------------------------------------------------

# In which currency visitors who are not signed in see prices.
SITE_CURRENCY = environment.text("SITE_CURRENCY", "USD")
OFFER_MOST_USES = environment.number("OFFER_MOST_USES", 10)

# --- Time and language ------------------------------------------------------------------------------------

# Every deadline is computed in this zone, which has no daylight saving (R1). POSIX names count the other way.
PLATFORM_ZONE = environment.text("KOOGALLERY_ZONE", "Etc/GMT-8")
USE_TZ = True
TIME_ZONE = PLATFORM_ZONE

# A rehearsal's clock stands still and is advanced by hand; refused in production.
REHEARSAL = environment.flag("KOOGALLERY_REHEARSAL")
REHEARSAL_START = environment.text("KOOGALLERY_REHEARSAL_START")

USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [ROOT / "locale"]

# --- Content security -------------------------------------------------------------------------------------

# No inline script or style anywhere, so that cached pages hold no nonce.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "style-src": [SELF],
        "script-src": [SELF],
        "connect-src": [SELF],
        "font-src": [SELF],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": [SELF],
        "frame-ancestors": ["'none'"],
    },
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"

# Keys of this installation, each a URL-safe base64 text: Fernet keys for what is stored encrypted (the first
# encrypts, all decrypt), and one Ed25519 seed that signs exports.
FIELD_KEYS = environment.items("KOOGALLERY_FIELD_KEYS")
SIGNING_KEY = environment.text("KOOGALLERY_SIGNING_KEY")

# --- Cards ------------------------------------------------------------------------------------------------

# `sandbox` (built in; refused in production), `stripe`, or nothing: then no cards can be added.
CARD_GATEWAY = environment.text("CARD_GATEWAY", "sandbox")
SANDBOX_GATEWAY_ALLOWED = True
STRIPE_API_KEY = environment.text("STRIPE_API_KEY")
STRIPE_ADDRESS = environment.text("STRIPE_ADDRESS")

# --- Files ------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = Path(environment.text("STATIC_ROOT", str(DATA / "static")))
STATICFILES_DIRS = [ROOT / "static"]
MEDIA_URL = "/files/"
MEDIA_ROOT = DATA / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    "attachments": environment.attachments(DATA / "attachments"),
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
FILE_UPLOAD_PERMISSIONS = 0o640
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
# Every file goes to disk as it arrives, beside the place where it will lie; see koogallery/kernel/files.
FILE_UPLOAD_HANDLERS = ["koogallery.kernel.files.streaming.BoundedUploadHandler"]
INCOMING_FILES = DATA / "incoming"
# The address of ClamAV's daemon, host:port; without one files are not scanned.
CLAMAV = environment.text("CLAMAV")

# --- SMS --------------------------------------------------------------------------------------------------

# Each message is POSTed as JSON to this address; without one it goes to the log.
SMS_URL = environment.text("SMS_URL")
SMS_TOKEN = environment.text("SMS_TOKEN")

# --- Celery -----------------------------------------------------------------------------------------------

# A task is a hint; the due column and the outbox are the truth (R19). So losing or repeating one is harmless.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 300
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 900}
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE = {
    "tick": {"task": "kernel.tick", "schedule": 5.0, "options": {"expires": 10}},
}

# Networks of our own reverse proxies: only they are believed about a visitor's address.
TRUSTED_PROXIES = environment.items("TRUSTED_PROXIES")

# --- Watching it ------------------------------------------------------------------------------------------

# /metrics answers whoever sends `Authorization: Bearer <token>`; without a token, only this machine.
METRICS_TOKEN = environment.text("METRICS_TOKEN")
LOG_LEVEL = environment.text("LOG_LEVEL", "INFO")

# --- The world outside ------------------------------------------------------------------------------------

# Seller servers must be public HTTPS addresses; a rehearsal, and a laptop's example seller, may be neither.
ALLOW_LOOPBACK_SELLERS = REHEARSAL
EXAMPLE_SELLER_PORT = environment.number("EXAMPLE_SELLER_PORT", environment.number("PORT", 8000) + 1)
