"""A fiscal boundary was crossed: a kind of run of its own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_prior_state_of_assignments")]

    operations = [
        migrations.AlterField(
            model_name="assignmentrun",
            name="kind",
            field=models.CharField(
                choices=[
                    ("activation", "Activation"),
                    ("reevaluation", "Re-evaluation"),
                    ("nightly", "Nightly"),
                    ("period", "Period closed"),
                ],
                max_length=12,
            ),
        ),
    ]
