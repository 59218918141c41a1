from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

SCOPES = [
    ("accounts:read", "Read accounts"),
    ("accounts:write", "Push account data"),
    ("assignments:read", "Read assignments and changes"),
    ("frameworks:read", "Read frameworks"),
    ("frameworks:write", "Write drafts of frameworks"),
    ("overrides:request", "Ask for overrides"),
]


class Migration(migrations.Migration):
    """Tokens may write drafts. Only the choices change: the column holds any scope already."""

    dependencies = [("governance", "0008_intake_scope_signed_for_another")]

    operations = [
        migrations.AlterField("apitoken", "scopes", ArrayField(models.CharField(choices=SCOPES, max_length=40)))
    ]
