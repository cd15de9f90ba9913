"""File formats of photographs: PNG, TIFF, JPEG, BMP and WebP, decoded and written.

``stored``       what a decoder hands over, and what is demanded of a file before
``whole``        whether a file without checksums is whole
``beside``       what a file says beside its pixels: EXIF, ICC profile, resolution
``png``          PNG
``tiff``         TIFF
``tiff_layout``  whether all parts of a TIFF are there
``bitmaps``      JPEG, BMP and WebP
"""
