"""`manage.py token issue|revoke|list`: API tokens from the server's shell."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from frameworks.errors import InvalidError
from frameworks.models import User
from governance.models import ApiToken, Scope
from governance.services.tokens import DAYS_DEFAULT, issue_token, revoke_token


class Command(BaseCommand):
    help = "Issue, revoke or list API tokens. A token's text is printed once, when it is issued."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        issue = actions.add_parser("issue", help="make a token for a service account and print it")
        issue.add_argument("--owner", required=True, help="e-mail of a service account")
        issue.add_argument("--name", required=True)
        issue.add_argument(
            "--scope", action="append", required=True, help=f"repeat it; one of {', '.join(Scope.values)}"
        )
        issue.add_argument("--days", type=int, default=DAYS_DEFAULT, help="how long it lasts (default: %(default)s)")
        issue.add_argument("--cidr", action="append", default=[], help="a network it may call from; repeat it")
        revoke = actions.add_parser("revoke", help="end a token now")
        revoke.add_argument("key", help="its first characters, as `list` prints them")
        revoke.add_argument("--reason", required=True)
        actions.add_parser("list", help="every token: key, owner, name, scopes, end, last use")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(**options)
        except InvalidError as error:
            raise CommandError(" ".join(error.problems)) from error

    def _issue(self, *, owner: str, name: str, scope: list[str], days: int, cidr: list[str], **options: Any) -> None:
        at = timezone.now()
        user = User.objects.filter(email__iexact=owner).first()
        if user is None:
            raise CommandError(f"Nobody has the e-mail address {owner}.")
        _, text = issue_token(
            owner=user, name=name, scopes=scope, expires_at=at + timedelta(days=days), cidrs=cidr, actor=None, at=at
        )
        self.stderr.write("Keep it safe: it is not stored and cannot be shown again.")
        self.stdout.write(text)

    def _revoke(self, *, key: str, reason: str, **options: Any) -> None:
        token = ApiToken.objects.filter(token_key=key).select_related("user").first()
        if token is None:
            raise CommandError(f"There is no token {key}.")
        revoke_token(token=token, reason=reason, actor=None, at=timezone.now())
        self.stdout.write(f"{token} is revoked.")

    def _list(self, **options: Any) -> None:
        for token in ApiToken.objects.select_related("user").order_by("user__email", "created"):
            until = f"{token.expiry:%Y-%m-%d %H:%M}" if token.expiry else "never"
            used = f"{token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never"
            scopes = " ".join(token.scopes)
            self.stdout.write(
                f"{token.token_key}  {token.user.email}  {token.name}  {scopes}  until {until}  used {used}"
            )
