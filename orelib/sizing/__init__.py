"""Particle sizes of ore: one segmenter for wet, restored and dry photographs.

``segmenter``  finds particles
``particles``  measures them
``scores``     scores runs, and images that are not restored
"""
