from django.db import migrations


def count_anew(apps, editor):
    """The census knew lapses and skips alone: the next roll-up counts all rows, and hand-outs and answers with them."""
    apps.get_model("crowd_assignments", "CensusMark").objects.update(position=None)


class Migration(migrations.Migration):
    dependencies = [("crowd_assignments", "0004_census")]

    operations = [migrations.RunPython(count_anew, migrations.RunPython.noop)]
