"""How allauth fits this site."""

from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest


class OwnSite:
    """What allauth's mails call the site."""

    def __init__(self) -> None:
        self.domain = self.name = urlsplit(settings.SITE_URL).netloc


class AccountAdapter(DefaultAccountAdapter):
    """Administrators make the logins: nobody signs up by themselves."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Mails name the site by its own host, whatever host the request named."""
        super().send_mail(template_prefix, email, {"current_site": OwnSite(), **context})

    def format_email_subject(self, subject: str) -> str:
        return f"Cutline: {subject}"

    def get_reset_password_from_key_url(self, key: str) -> str:
        place = urlsplit(super().get_reset_password_from_key_url(key))
        return f"{settings.SITE_URL}{place.path}"
