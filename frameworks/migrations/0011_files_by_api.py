from django.db import migrations


class Migration(migrations.Migration):
    """A right of its own for making drafts of files: a pipeline has it without editing what people write."""

    dependencies = [("frameworks", "0010_overruling_withdrawn")]

    operations = [
        migrations.AlterModelOptions(
            "frameworkversion",
            options={
                "ordering": ["framework", "-number"],
                "permissions": [
                    ("edit_draft", "Can edit drafts, attributes and templates"),
                    ("apply_file", "Can make drafts of framework files"),
                    ("confirm_part", "Can confirm an assumed part with evidence"),
                    ("sign_version", "Can sign what a requirement asks of their role"),
                    ("submit_version", "Can submit a draft for review"),
                    ("activate_version", "Can activate an approved version"),
                    ("activate_emergency", "Can activate a version before it is signed"),
                    ("comment_version", "Can comment on a version and its parts"),
                ],
            },
        )
    ]
