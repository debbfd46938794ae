"""From scanner export to volumes in SUVbw and HU."""
