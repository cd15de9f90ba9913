"""Pairs of photographs: rendered, read, checked, aligned, and mixed into training samples."""
