"""Pairs of photographs: rendered, read, checked, aligned, and mixed into training samples.

``scenes``       rendered wet and dry ore with ground truth
``dataset``      rendered scenes on disk
``photographs``  files of 8 or 16 bits, read and written without loss
``formats``      PNG, TIFF, JPEG, BMP and WebP, decoded and written
``pair``         one pair of photographs, read and inspected
``pairs``        folders of wet and dry photographs, matched and checked
``check``        all problems of pairs, found before training
``same_places``  photographs that show the same place, found among many
``partners``     wet and dry photographs of one place, matched by their names and by what they show
``splitting``    pairs split by place
``filing``       the plan of photographs of any folder as pairs to train on
``filed``        the plan carried out: photographs copied as pairs
``alignment``    the measured shift between wet and dry
``aligned``      folders of pairs, cut to the area that both photographs show
``wetting``      a dry photograph, wetted by the water of the scenes
``wetted``       folders of pairs that are made of dry photographs alone
``degraded``     images damaged on purpose, by a known amount
``decoded``      photographs decoded once, so that single windows can be read
``highlights``   glare found by a rule in the wet photograph alone, and filled
``mosaic``       training samples, each from four pairs
``realism``      statistics that compare scenes with photographs
"""
