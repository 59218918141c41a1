"""An executive who is away lets somebody sign the intake's scope in their place, with both names printed."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [
        ("governance", "0007_requests_of_retired_segments"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="intakescopesignoff",
            name="on_behalf_of",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="intakescopesignoff",
            name="on_behalf_of_name",
            field=models.CharField(blank=True, db_default="", max_length=150),
        ),
        migrations.AddConstraint(
            model_name="intakescopesignoff",
            constraint=models.CheckConstraint(
                condition=Q(on_behalf_of__isnull=True, on_behalf_of_name="")
                | (~Q(on_behalf_of=F("signer")) & ~Q(on_behalf_of=F("written_by")) & ~Q(on_behalf_of_name="")),
                name="intake_scope_signed_for_another",
                violation_error_message="Nobody signs on their own behalf, or for whoever wrote the scope.",
            ),
        ),
    ]
