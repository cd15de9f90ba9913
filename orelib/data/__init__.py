"""Pairs of photographs: rendered, read, checked, aligned, and mixed into training samples.

``scenes``       rendered wet and dry ore with ground truth
``dataset``      rendered scenes on disk
``photographs``  files of 8 or 16 bits, read and written without loss
``formats``      PNG, TIFF, JPEG, BMP and WebP, decoded and written
``pair``         one pair of photographs, and what is wrong with it
``pairs``        folders of wet and dry photographs, matched and checked
``check``        what is wrong with pairs
``alignment``    the shift between wet and dry, measured
``aligned``      folders of pairs, cut to what both show
``decoded``      photographs decoded once, of which windows are read
``mosaic``       training samples, each from four pairs
``realism``      statistics of scenes beside those of photographs
"""
