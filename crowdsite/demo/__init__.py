"""The demo: real handwritten digits, a pool of people who stand by, workflows, and how one signs in."""
