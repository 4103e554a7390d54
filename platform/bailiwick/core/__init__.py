"""What everything stands on: errors, settings, the clock, ids and canonical bytes."""
