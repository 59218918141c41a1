from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

SCOPES = [
    ("accounts:read", "Read accounts"),
    ("accounts:write", "Push account data"),
    ("assignments:read", "Read assignments and changes"),
    ("comments:write", "Comment on frameworks, and ask for help"),
    ("frameworks:read", "Read frameworks"),
    ("frameworks:write", "Write drafts of frameworks"),
    ("overrides:request", "Ask for overrides"),
]
KINDS = [
    ("asked", "You are asked to sign"),
    ("reminder", "Something is due soon"),
    ("overdue", "Something is overdue"),
    ("escalation", "Others are late with what you wait for"),
    ("mention", "Somebody mentions you"),
    ("void", "A sign-off of yours no longer counts"),
    ("version", "A version is approved, sent back, activated or fails"),
    ("invitation", "Somebody invites you to read a version"),
    ("help", "Somebody asks you for help: too few people can sign"),
]


class Migration(migrations.Migration):
    """People are told that somebody asks for help, tokens may comment. Only choices change, no column."""

    dependencies = [("governance", "0009_scope_of_drafts")]

    operations = [
        migrations.AlterField("apitoken", "scopes", ArrayField(models.CharField(choices=SCOPES, max_length=40))),
        migrations.AlterField("mute", "kind", models.CharField(choices=KINDS, max_length=10)),
        migrations.AlterField("notification", "kind", models.CharField(choices=KINDS, max_length=10)),
    ]
