"""Weights that quantizers wrote into a state dict: what belongs together, and what it stands for.

Parameters are the logical weights; scales, zero points, code books and whatever else a quantizer keeps beside
them are none. The Hub counts in the same way: packed tensors times the values that an element holds, without
the tensors that it calls auxiliary, and never those of a type that only holds exponents.

Source: https://github.com/huggingface/huggingface.js ``packages/hub/src/lib/parse-safetensors-metadata.ts``
(``getQuantizationMultiplier``, ``QUANTIZATION_AUXILIARY_SUFFIXES``, ``SCALE_ONLY_DTYPES``).
"""
