"""What a trained model says of text: likelihoods and predicted words."""
