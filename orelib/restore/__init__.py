"""Photographs of any size restored by a trained generator, or by a classical rule.

``any_size``          takes any photograph in tiles, for every restorer
``restorer``          a generator and how to use it
``classical``         a restorer without training: highlights filled, then one fixed law
``cautious``          a network for what it knows, the classical way for the rest
``dryness``           photographs without a sign of water
``familiar``          tells what a network knows
``correction``        a few numbers that correct a restorer's output, and their file
``calibration``       fits them on a user's own photographs
``model_file``        generator.safetensors, checked before it is read
``engines``           programs that compute: OpenVINO, ONNX Runtime or PyTorch
``lean``              networks in a form that needs fewer passes over memory
``onnx_file``         a generator as an ONNX file
``tiles``             large photographs in overlapping parts
``validation``        the validation images of a training, restored and scored
``snapshots``         one of them over the steps, as small pictures
``own``               the restorer that a user trained last
``copies``            makes restored copies of photographs, several at a time
``places``            the folder of photographs and the folder of their copies
``folders``           restores a photograph or a folder
``watch``             restores what arrives in a folder
``default_restorer``  the restorer that comes with the kit, and its model card
"""
