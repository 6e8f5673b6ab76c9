"""Amazon Mechanical Turk, by boto3, and whatever speaks its protocol.

options   what the host sets, and what can be wrong with it
calls     asking it: what comes back, what its errors mean
hits      what a HIT is made of
adapter   the marketplace
lining    our rows brought in line with what it says
events    what it tells, by SQS and SNS: hints what to look at
signing   whether a message is SNS's
"""

from pavilion.marketplaces.mturk.adapter import MTurk

__all__ = ["MTurk"]
