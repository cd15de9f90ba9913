"""The paper's networks, drawn and looked into.

``figures``   Fig. 1 to 4, and the residual module of eq. 4
``anatomy``   what a network is made of, as the network itself says
``costs``     where the weights of a network are, and where its work is
``residual``  what residual modules add, what cut connections cost, how gradients travel
``patchgan``  what a PatchGAN's logits judge
``diagram``   boxes, arrows and words of which diagrams are drawn
"""
