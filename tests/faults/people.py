"""Make people in the site's own database: `python -m tests.faults.people NAME …`; prints name → API token, as JSON.

The first one operates the site. The settings are those of the environment.
"""

import json
import sys

import django


def main(names: list[str]) -> None:
    """Make them."""
    django.setup()
    from django.contrib.auth import get_user_model

    from queues import tokens

    made: dict[str, str] = {}
    for name in names:
        user = get_user_model()._default_manager.create_user(
            name, f"{name}@example.org", is_superuser=name == names[0], is_staff=name == names[0]
        )
        made[name] = tokens.issue(user=user, name="faults")[1]
    print(json.dumps(made))


if __name__ == "__main__":
    main(sys.argv[1:])
