"""Callbacks of the frameworks that train PyTorch models; each is imported only when one is asked for."""
