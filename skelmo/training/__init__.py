"""Pre-training: corpus, schedule, trainer."""
