"""Photographs of any size restored by a trained generator.

``restorer``          a generator and how to use it
``model_file``        generator.safetensors, checked before it is read
``engines``           programs that compute: OpenVINO, ONNX Runtime or PyTorch
``onnx_file``         a generator as an ONNX file
``tiles``             large photographs in overlapping parts
``folders``           restores a photograph, a folder, or a watched folder
``default_restorer``  the restorer that comes with the kit, and its model card
"""
