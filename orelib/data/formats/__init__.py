"""File formats of photographs: PNG, TIFF, JPEG, BMP and WebP, decoded and written."""
