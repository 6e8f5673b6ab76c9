from django.db import migrations

from queues.storage import LARGE, looked_after


class Migration(migrations.Migration):
    dependencies = [("crowd_assignments", "0002_metrics"), ("crowd_queues", "0004_storage")]

    operations = [looked_after({"crowd_assignments_assignment": LARGE})]
