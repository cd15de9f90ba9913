"""Particle sizes of ore: one segmenter for wet, restored and dry photographs.

``segmenter``  finds particles
``maps``       what its network sees
``proposals``  from maps to particles
``learning``   trains it
``particles``  measures them
``scores``     scores runs, and images that are not restored
"""
