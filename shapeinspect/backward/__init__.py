"""What training keeps: the tensors that a reverse pass needs, by the rules of PyTorch's autograd on a CPU.

``tensors`` says which values share memory, ``table`` which tensors a kind of layer keeps, ``following`` walks
the calls of a model and counts each piece of memory once.
"""
