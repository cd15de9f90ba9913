"""A trained generator on photographs of any size."""
