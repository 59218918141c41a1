from django.db import migrations, models

KIND = [
    ("meta", "About the framework"),
    ("policy", "Policy"),
    ("dimension", "Dimension"),
    ("segment", "Segment"),
    ("playbook", "Playbook"),
    ("term", "Definition"),
    ("data_source", "Data source"),
    ("waiver", "Waiver"),
]


class Migration(migrations.Migration):
    """Waivers of the checks' warnings are parts. Only the choices change: the columns hold any kind already."""

    dependencies = [("frameworks", "0007_comments")]

    operations = [
        *(
            migrations.AlterField(model, "kind", models.CharField(choices=KIND, max_length=12))
            for model in ("confirmation", "contribution", "part", "partbody")
        ),
        *(
            migrations.AlterField(model, "part_kind", models.CharField(blank=True, choices=KIND, max_length=12))
            for model in ("comment", "requirement", "signoff")
        ),
    ]
