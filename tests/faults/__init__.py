"""The site under a crowd while one part after the other fails: what was acknowledged is there, and nothing else is.

`python -m tests.faults --seed 1 --seeds 20 --seconds 60` (`make soak SEED=1 SEEDS=20 SECONDS_EACH=60`). Each seed is a
round on a stage of its own (stage.py, hosts.py): PostgreSQL, Valkey, two hosts that each run the whole site, a receiver
of webhooks, eight clients that write down what they sent and what was answered before they go on (client.py). The
faults (kinds.py; processes.py, database.py, broker.py, outside.py) come in an order and for times that the seed
decides; each must be seen to bite. Afterwards a judge (judge.py) compares the journals with the database and with what
the receiver got. `python -m tests.faults.guards` sees rounds go red without what keeps the promises.
"""
