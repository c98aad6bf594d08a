"""The parts of the bench, in the order of the table."""
from . import binary, bulk, redirect, startup, status, token

PARTS = {
    "startup": startup.measure,
    "status": status.measure,
    "redirect": redirect.measure,
    "bulk": bulk.measure,
    "token": token.measure,
    "binary": binary.measure,
}
