"""Estimators: what knows scikit-learn."""
