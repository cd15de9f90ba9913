"""Particle sizes of ore: one segmenter for wet, restored and dry photographs.

``segmenter``     finds particles
``maps``          what its network sees
``proposals``     from maps to particles
``learning``      trains it
``scenes``        rendered scenes with known particles
``particles``     measures them in rendered scenes, and compares them with the true ones
``scores``        scores runs, and images that are not restored

Photographs of a user:

``balls``         balls of one size, found by their colour
``scale``         pixels per mm: stated, of the file, or measured in the photograph
``measured``      the particles of one photograph in mm, and which of them count
``distribution``  passing curve, P20, P50 and P80, with their intervals
``examples``      rendered scenes in the place of photographs
``sized``         all of it, for photographs as they are, restored, and dry
"""
