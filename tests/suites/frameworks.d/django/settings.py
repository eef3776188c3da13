"""As a project has them; the addresses are those of libpq's environment."""

import os

HERE = os.path.dirname(os.path.realpath(__file__))
SETTINGS = {"statement_timeout": "25s", "shop.branch": "north"}
SECRET_KEY = "not secret"
USE_TZ = True
TIME_ZONE = "Europe/Berlin"
ROOT_URLCONF = "shop.urls"
ALLOWED_HOSTS = ["*"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "shop"]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def database(**changes):
    options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ["PGDATABASE"],
        "USER": os.environ["PGUSER"],
        "PASSWORD": os.environ["PGPASSWORD"],
        "HOST": os.environ["PGHOST"],
        "PORT": os.environ["PGPORT"],
        "CONN_MAX_AGE": None,
        "OPTIONS": {"options": options, "sslmode": "disable"},
        "TEST": {"NAME": os.environ.get("SHOP_TEST_DATABASE", "test_shop")},
        **changes,
    }


DATABASES = {"default": database()}
if os.environ.get("SHOP_ALIASES"):
    DATABASES["tokyo"] = database(TIME_ZONE="Asia/Tokyo")
    DATABASES["strict"] = database(OPTIONS={"isolation_level": 3, "sslmode": "disable"})  # serializable, in psycopg2
    DATABASES["atomic"] = database(ATOMIC_REQUESTS=True)
