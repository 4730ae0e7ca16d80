"""What the worker does."""


def add(a, b):
    return a + b
