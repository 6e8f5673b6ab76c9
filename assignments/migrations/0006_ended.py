from django.db import migrations, models

from queues.altering import AddIndexBeside, RemoveIndexBeside


class Migration(migrations.Migration):
    # So that neither holds a lock longer than it must.
    atomic = False

    dependencies = [("crowd_assignments", "0005_count_hands")]

    operations = [
        AddIndexBeside(
            "assignment",
            models.Index(
                fields=["queue", "status", "id"],
                condition=models.Q(("status", "CREATED"), _negated=True),
                name="assignment_ended",
            ),
        ),
        RemoveIndexBeside("assignment", "assignment_by_queue"),
    ]
