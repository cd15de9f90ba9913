"""A trained generator on photographs of any size.

``restorer``          a generator and how to use it
``model_file``        generator.safetensors, checked before it is read
``engines``           what computes: OpenVINO, ONNX Runtime or PyTorch
``onnx_file``         a generator as an ONNX file
``tiles``             large photographs in overlapping parts
``folders``           a photograph, a folder, or a folder that is watched
``default_restorer``  the restorer that comes with the kit, and its model card
"""
