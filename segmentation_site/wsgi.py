"""The web process: `gunicorn segmentation_site.wsgi`."""

import os

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

from segmentation_site import embedded
from segmentation_site.warm import warm_up

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "segmentation_site.settings")
os.environ.setdefault("CUTLINE_PROCESS", "web")
embedded.provide_environment()

application = get_wsgi_application()

if os.environ.get("CUTLINE_PROFILE") == "production":
    # A deployment with a known hole does not start at all (bad settings stop in settings.py already).
    call_command("check", "--deploy", "--tag=security", "--fail-level=WARNING")

warm_up()
