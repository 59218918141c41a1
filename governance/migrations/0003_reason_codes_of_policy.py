from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("governance", "0002_database_rules")]

    operations = [
        migrations.AlterField(
            model_name="overriderequest",
            name="reason_code",
            field=models.CharField(
                choices=[
                    ("strategic", "Strategic relationship"),
                    ("pending_data", "Data is known to be wrong and being mended"),
                    ("contract", "Agreed in the contract"),
                    ("merger", "Merger or restructuring under way"),
                    ("other", "Other"),
                ],
                help_text="A key of the policy's.",
                max_length=63,
            ),
        )
    ]
