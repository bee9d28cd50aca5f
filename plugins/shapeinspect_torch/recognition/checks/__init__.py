"""Weights held against what stands beside them: configuration, tokenizer, quantizer, adapter, each other."""
