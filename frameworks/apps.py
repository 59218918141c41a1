from django.apps import AppConfig
from django.db.models.signals import post_migrate


class FrameworksConfig(AppConfig):
    name = "frameworks"
    verbose_name = "Frameworks"

    def ready(self) -> None:
        from frameworks import database_rules, permissions, receivers, roles

        post_migrate.connect(roles.ensure_roles, sender=self)
        post_migrate.connect(database_rules.grant_application_role, sender=self)
        roles.register(self.name, permissions.ROLES_BY_PERMISSION)
        receivers.connect()
