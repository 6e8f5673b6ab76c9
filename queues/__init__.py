"""What is to be done: queues, their members, tasks, and the events every change leaves behind."""
