"""What a run tells otherwise than the publication before it: which person-months and why, and which published figures."""
