"""Text to tokens, tokens to character ids, words to softmax ids; no torch."""
