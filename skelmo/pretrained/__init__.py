"""Files of trained models, read into and written from (config, arrays)."""
