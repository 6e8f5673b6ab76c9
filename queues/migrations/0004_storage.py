from django.db import migrations

from queues.storage import LARGE, SMALL, looked_after


class Migration(migrations.Migration):
    dependencies = [("crowd_queues", "0003_events")]

    operations = [
        looked_after(
            {
                "crowd_queues_task": LARGE,
                "crowd_queues_delivery": LARGE,
                "crowd_queues_eventpending": SMALL,
                "crowd_queues_endpoint": SMALL,
                "crowd_queues_idempotencyrecord": SMALL,
            }
        )
    ]
