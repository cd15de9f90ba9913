"""Particle sizes of ore: one segmenter for wet, restored and dry photographs."""
