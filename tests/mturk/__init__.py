"""A Mechanical Turk on this machine, by its wire protocol: for tests, and for trying (`python -m tests.mturk`).

    wire     the protocol: JSON 1.1 under botocore's own service model, which requests and answers are checked against
    state    the marketplace: HITs, assignments, money; what workers do, as methods
    asked    what requesters ask of it: one function for each operation
    events   what it tells of events, and the faults with which that happens
    faults   calls that are throttled, fail, or are done without an answer
    server   all of it behind HTTP, and the page to which a worker's browser submits
    pages    where a person plays the worker
    queues   moto's SQS and SNS
    sns      a topic that signs its messages as SNS does

Where the real service's behaviour was looked up the docstring names the place; where nothing is known it says so.
"""
