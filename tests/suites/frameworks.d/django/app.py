"""A shop on Django 3.2: migrations, models, views and its test runner, in many threads."""

import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
os.environ["SHOP_ALIASES"] = "yes"

import django  # noqa: E402

django.setup()

import checks  # noqa: E402
import model_checks  # noqa: E402, F401  their order is that of the checks
import session_checks  # noqa: E402, F401
import runner_checks  # noqa: E402, F401

if __name__ == "__main__":
    checks.run_checks(begin_anew=lambda: None)  # each thread has connections of its own
