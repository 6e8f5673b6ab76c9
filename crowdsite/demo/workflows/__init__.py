"""The demo's workflows: one that lives in a browser's session, and two that go on across people and days."""
