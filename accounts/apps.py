from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        from accounts import attributes, feed, panels, permissions
        from accounts.holds import accounts_and_overrides
        from accounts.services import checking
        from accounts.services.forecast import forecast_moves
        from frameworks import forecast, holds, roles
        from frameworks import navigation as nav
        from frameworks.checks import slot

        slot.register(checking.StoredChecks())
        forecast.register(forecast_moves)
        holds.register(accounts_and_overrides)
        panels.register()
        roles.register(self.name, permissions.ROLES_BY_PERMISSION)
        post_migrate.connect(attributes.ensure_core_attributes, sender=self)
        post_migrate.connect(feed.ensure_epoch, sender=self)
        nav.register(
            nav.NavEntry(nav.MAIN, "Accounts", "building", "accounts:account_list", order=30, key="a", on_phone=True),
            nav.NavEntry(nav.MAIN, "Lists", "list-check", "accounts:list_list", order=35, key="l"),
            nav.NavEntry(nav.OPERATE, "Runs", "player-play", "accounts:run_list", order=10, key="r"),
            nav.NavEntry(nav.OPERATE, "Imports", "database-import", "accounts:import_list", order=20, key="d"),
        )
