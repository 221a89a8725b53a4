"""Documents to pooled layer activations, without gradients."""
