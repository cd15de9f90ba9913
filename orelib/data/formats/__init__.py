"""File formats of photographs: PNG, TIFF, JPEG, BMP and WebP, decoded and written.

``stored``       results of decoders, and demands on a file before it is decoded
``whole``        tests for files without checksums: is the file complete?
``beside``       metadata beside the pixels: EXIF and resolution
``png``          PNG
``tiff``         TIFF
``tiff_layout``  tests for TIFF: are all its parts there?
``bitmaps``      JPEG, BMP and WebP
"""
