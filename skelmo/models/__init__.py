"""A trained model as a value, where it comes from, and what a process keeps."""
