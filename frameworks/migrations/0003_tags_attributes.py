"""Attributes may hold several texts: tags, a tech stack."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("frameworks", "0002_database_rules")]

    operations = [
        migrations.AlterField(
            model_name="attribute",
            name="data_type",
            field=models.CharField(
                choices=[
                    ("integer", "Whole number"),
                    ("decimal", "Decimal number"),
                    ("money", "Money"),
                    ("date", "Date"),
                    ("datetime", "Date and time"),
                    ("text", "Text"),
                    ("choice", "Choice"),
                    ("boolean", "Yes or no"),
                    ("tags", "Tags"),
                ],
                max_length=10,
            ),
        ),
    ]
