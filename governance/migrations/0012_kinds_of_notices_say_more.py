"""Homework and the intake are asked too, and help is told where nobody asks for it. Labels only, no SQL."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("governance", "0011_prepared_documents"),
    ]

    operations = [
        migrations.AlterField(
            model_name="mute",
            name="kind",
            field=models.CharField(
                choices=[
                    ("asked", "You are asked to sign or to do something"),
                    ("reminder", "Something is due soon"),
                    ("overdue", "Something is overdue"),
                    ("escalation", "Others are late with what you wait for"),
                    ("mention", "Somebody mentions you"),
                    ("void", "A sign-off of yours no longer counts"),
                    ("version", "A version is approved, sent back, activated or fails"),
                    ("invitation", "Somebody invites you to read a version"),
                    ("help", "Too few people can sign something, or somebody asks you for help"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="notification",
            name="kind",
            field=models.CharField(
                choices=[
                    ("asked", "You are asked to sign or to do something"),
                    ("reminder", "Something is due soon"),
                    ("overdue", "Something is overdue"),
                    ("escalation", "Others are late with what you wait for"),
                    ("mention", "Somebody mentions you"),
                    ("void", "A sign-off of yours no longer counts"),
                    ("version", "A version is approved, sent back, activated or fails"),
                    ("invitation", "Somebody invites you to read a version"),
                    ("help", "Too few people can sign something, or somebody asks you for help"),
                ],
                max_length=10,
            ),
        ),
    ]
